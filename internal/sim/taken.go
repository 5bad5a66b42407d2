package sim

import "time"

// taken checks L1 during the faults: when a node crashes, each of its calls that the registry
// has is claimed as soon as each survivor has had its turn, if one of them was healthy for all
// of that time.
func (v *view) taken() {
	for i, g := range v.grants {
		owner := v.registry.lifeOf(g.to)
		if owner.n == nil {
			continue // it never sent a beat
		}
		died, crashed := owner.end()
		if !crashed || died < g.at {
			continue
		}
		next, by := time.Duration(1<<62), died+v.takenWithin()
		if i+1 < len(v.grants) {
			next = v.grants[i+1].at
		}
		if next <= by || by >= v.now() || v.registry.undid(g.at, by) || v.registry.droppedBy(v.Call, by) {
			continue
		}
		for _, n := range v.nodes {
			if v.registry.healthy(n, died-lease, by) {
				v.fail("L1", by, "%s crashed at %.3f s, and %s has not claimed the call by now", owner.n.name, died.Seconds(), n.name)
				return
			}
		}
	}
}

// droppedBy reports whether a call was dropped before a moment.
func (r *registry) droppedBy(c *Call, at time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	dropped, ok := r.dropped[c.ID]
	return ok && dropped <= at
}

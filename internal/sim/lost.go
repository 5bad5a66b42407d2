package sim

import (
	"slices"
	"time"
)

// kept reports whether at that moment the registry had a state of the call: one was written
// before, and has not been undone by then.
func (r *registry) kept(c *Call, at time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.writes[c.ID] {
		if w <= at && !r.undoneBy(w, at) {
			return true
		}
	}
	return false
}

// undoneBy reports whether what was written at a moment was undone before another one. r.mu
// is held.
func (r *registry) undoneBy(written, at time.Duration) bool {
	for _, u := range r.undone {
		if u.from <= written && written <= u.to && u.to <= at {
			return true
		}
	}
	return false
}

// behind reports whether a write of a call was undone: the next one of its writer mends it. A
// call without a timer has that when all calls are written again, after hours.
func (r *registry) behind(callID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.writes[callID], func(at time.Duration) bool { return r.undoneBy(at, r.w.now()) })
}

// wrote reports whether an owner has written a state of the call between two moments.
func (r *registry) wrote(callID string, from, to time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.puts[callID] {
		if from <= w && w < to {
			return true
		}
	}
	return false
}

// writing is how long a node that reaches a healthy registry may take to write a call, with
// the longest pause after a write that failed.
const writing = 5 * time.Second

// lost reports whether a call may be lost at that moment: its owner has died, the registry
// has no state of it, and the owner could write none, or none after the registry had lost
// what was written before. Without a registry a call ends with its node.
func (v *view) lost(at time.Duration) bool {
	owner, since, _ := v.holder(at)
	died, dead := owner.n.deathAfter(max(since, v.Began), at)
	switch {
	case !dead:
		return false
	case v.registry == nil:
		return true
	case v.registry.kept(v.Call, at):
		return false
	}
	for from := v.exchanges[0].acked; from+writing <= died; from += time.Second {
		if v.registry.healthy(owner.n, from, from+writing) && !v.registry.undid(from, at) {
			return false
		}
	}
	return true
}

// undid reports whether the registry lost something between two moments.
func (r *registry) undid(from, to time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.undone {
		if from <= u.to && u.to <= to {
			return true
		}
	}
	return false
}

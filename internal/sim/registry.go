package sim

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
)

// Shared is a registry that the nodes of a run share. It can lose what it has, and its
// clock can be set: see [failover.Memory].
type Shared interface {
	failover.Registry
	Flush()
	Snapshot() (restore func())
	Advance(by time.Duration)
	Len() int
}

// registry is the registry of a run, with its troubles and what it has granted.
type registry struct {
	Shared
	w     *world
	links []*failovertest.Faulty

	turn sync.Mutex // held from a write until it is noted, so that notes are in order

	mu       sync.Mutex
	random   *rand.Rand
	down     span
	slow     span
	slowness time.Duration
	lossy    span
	share    float64         // the share of replies that are lost
	cutOff   map[*node][]cut // nodes that cannot reach the registry
	trouble  []trouble       // of any kind, for all nodes
	undone   []span          // the writes in these times were lost
	runs     map[failover.Node]life
	pulses   map[failover.Node]pulse
	grants   map[string][]grant         // by Call-ID, in order
	dropped  map[string]time.Duration   // by Call-ID
	begins   map[string]int             // by Call-ID, the first of the grants that the registry still knows
	writes   map[string][]time.Duration // by Call-ID, the accepted writes, in order
	puts     map[string][]time.Duration // the same without claims
}

// cut is a time in which a node cannot reach the registry.
type cut struct {
	span
	refused bool // requests fail at once, instead of arriving later
}

// trouble is a time in which something was wrong with the registry.
type trouble struct {
	span
	kind FaultKind
}

// life is one life of a node, which the registry knows as a run.
type life struct {
	n     *node
	count int
}

// grant records that a node became the owner of a call.
type grant struct {
	at       time.Duration
	to, from failover.Node // from is zero for a write
	epoch    uint64
	served   time.Duration // since when that node serves the call; 0 as long as it does not know
}

func newRegistry(w *world, seed uint64) *registry {
	return &registry{Shared: w.stack.registry(w.T), w: w, random: rand.New(rand.NewPCG(seed, 4)), cutOff: make(map[*node][]cut),
		runs: make(map[failover.Node]life), pulses: make(map[failover.Node]pulse), grants: make(map[string][]grant),
		dropped: make(map[string]time.Duration), begins: make(map[string]int), writes: make(map[string][]time.Duration), puts: make(map[string][]time.Duration)}
}

func (s span) has(at time.Duration) bool { return s.from <= at && at < s.to }

// meets reports whether the span and the time between two moments overlap.
func (s span) meets(from, to time.Duration) bool { return s.from < to && from < s.to }

// put records the result of a write.
func (r *registry) put(me failover.Node, k failover.Key, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.puts[k.CallID] = append(r.puts[k.CallID], r.w.now())
		r.grant(grant{at: r.w.now(), to: me, epoch: k.Epoch, served: r.w.now()}, k)
	}
}

// claimed records a granted claim.
func (r *registry) claimed(me, from failover.Node, k failover.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.grant(grant{at: r.w.now(), to: me, from: from, epoch: k.Epoch}, k)
}

// served records that n knows the result of its latest claim of a call.
func (r *registry) served(n *node, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.grants[id]
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].served == 0 && r.runs[all[i].to].n == n {
			all[i].served = r.w.now()
			return
		}
	}
}

// drop records that a call has ended.
func (r *registry) drop(k failover.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped[k.CallID] = r.w.now()
}

func (r *registry) ended(c *Call) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.dropped[c.ID]
	return ok
}

// grant records a new grant, and checks S6: the epochs of a call rise, and each has one owner,
// unless the registry has lost the grant, or has forgotten the call after its end. r.mu is
// held.
func (r *registry) grant(g grant, k failover.Key) {
	r.writes[k.CallID] = append(r.writes[k.CallID], g.at)
	all := r.grants[k.CallID]
	if at, ok := r.dropped[k.CallID]; ok && (g.at-at > failover.KeepDropped || r.jumped(at, g.at)) {
		delete(r.dropped, k.CallID)
		r.begins[k.CallID] = len(all)
	}
	for i := len(all) - 1; i >= r.begins[k.CallID]; i-- {
		if all[i].to == g.to && all[i].epoch == g.epoch {
			if all[i].served == 0 {
				all[i].served = g.served
			}
			return
		}
		if g.epoch <= all[i].epoch && !r.lost(all[i].at) {
			r.w.violated("S6", r.w.call(k.CallID), g.at, "call %s is given to %s in epoch %d, and belongs to %s in epoch %d since %.3f s",
				k.CallID, g.to.Name, g.epoch, all[i].to.Name, all[i].epoch, all[i].at.Seconds())
			break
		}
	}
	r.grants[k.CallID] = append(all, g)
}

// jumped reports whether the clock of the registry jumped between two moments, so that it may
// forget sooner. r.mu is held.
func (r *registry) jumped(from, to time.Duration) bool {
	for _, t := range r.trouble {
		if t.kind == RegistryJumped && from <= t.from && t.from <= to {
			return true
		}
	}
	return false
}

// lost reports whether the writes of that moment have been lost since.
func (r *registry) lost(at time.Duration) bool {
	for _, u := range r.undone {
		if u.from <= at && at <= u.to {
			return true
		}
	}
	return false
}

// fault makes a fault of the registry happen.
func (r *registry) fault(f Fault, n *node, s *script) {
	r.turn.Lock()
	defer r.turn.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.w.now()
	during := span{now, now + f.For}
	switch f.Kind {
	case CutOff:
		r.cutOff[n] = append(r.cutOff[n], cut{during, f.Rate < 0.5})
		return
	case RegistryDown:
		r.down = during
	case RegistrySlow:
		r.slow, r.slowness = during, 1+time.Duration(f.Rate*float64(5*time.Second))
	case RepliesLost:
		r.lossy, r.share = during, f.Rate
	case RegistryEmpty:
		r.Flush()
		r.undone = append(r.undone, span{0, now})
	case RegistryBack:
		restore := r.Snapshot()
		s.add(during.to, func(*script) {
			r.turn.Lock()
			defer r.turn.Unlock()
			restore()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.undone = append(r.undone, during)
		})
	case RegistryJumped:
		by := f.For
		if f.Rate < 0.5 {
			by = -by
		}
		r.Advance(by)
	}
	r.trouble = append(r.trouble, trouble{during, f.Kind})
}

// marks returns the events of the registry for the ladder of a call.
func (r *registry) marks(c *Call) (all []mark) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.grants[c.ID] {
		all = append(all, mark{g.at, fmt.Sprintf("registry: %s owns it in epoch %d", g.to.Name, g.epoch)})
	}
	for n, cuts := range r.cutOff {
		for _, s := range cuts {
			all = append(all, mark{s.from, fmt.Sprintf("%s is cut off from the registry until %.3f s", n.name, s.to.Seconds())})
		}
	}
	for _, t := range r.trouble {
		all = append(all, mark{t.from, fmt.Sprintf("%s until %.3f s", t.kind, t.to.Seconds())})
	}
	return all
}

// healthy reports whether n could reach the registry for all of the time from one moment to
// another, and nothing was wrong with the registry.
func (r *registry) healthy(n *node, from, to time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.trouble {
		if s.meets(from, to) || from <= s.from && s.from <= to {
			return false
		}
	}
	for _, c := range r.cutOff[n] {
		if c.meets(from, to) {
			return false
		}
	}
	return n.ran(from, to)
}

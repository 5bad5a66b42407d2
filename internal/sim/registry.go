package sim

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// registry is the one that the nodes of a run share, its troubles, and what it has
// granted.
type registry struct {
	*failover.Memory
	w *world

	mu      sync.Mutex
	random  *rand.Rand
	down    span
	slow    span
	lossy   span
	share   float64          // of replies lost
	cutOff  map[*node][]span // from the registry
	trouble []span           // of any kind, for all nodes
	undone  []time.Duration  // when it lost what was written

	runs   map[failover.Node]run
	grants map[string][]grant // by Call-ID, in order
	fenced int                // writes refused
}

// run is a life of a node as the registry calls it.
type run struct {
	n    *node
	life int
}

// grant is a call that a node became the owner of.
type grant struct {
	at       time.Duration
	to, from failover.Node // from is zero where the call began there
	epoch    uint64
}

func newRegistry(w *world, seed uint64) *registry {
	return &registry{Memory: failover.NewMemory(), w: w, random: rand.New(rand.NewPCG(seed, 4)), cutOff: make(map[*node][]span),
		runs: make(map[failover.Node]run), grants: make(map[string][]grant)}
}

// condition is what happens to one request of a node.
type condition struct {
	before     time.Duration // how long it takes
	down, lost bool
}

func (r *registry) conditions(n *node) (c condition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.w.now()
	for _, s := range r.cutOff[n] {
		if s.has(now) {
			c.before, c.down = time.Hour, true // nothing comes back, until the caller gives up
		}
	}
	switch {
	case c.down:
	case r.down.has(now):
		c.down = true
	case r.slow.has(now):
		c.before = spread(r.random, 5*time.Second)
	}
	c.lost = r.lossy.has(now) && r.random.Float64() < r.share
	return c
}

func (s span) has(at time.Duration) bool { return s.from <= at && at < s.to }

// met notes who a node is to the registry.
func (r *registry) met(me failover.Node, n *node, life int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs[me] = run{n, life}
}

// put notes what became of a write. In one epoch a call has one owner, as long as
// nothing was undone: S6.
func (r *registry) put(n *node, me failover.Node, k failover.Key, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.fenced++
		return
	}
	r.grant(grant{at: r.w.now(), to: me, epoch: k.Epoch}, k)
}

// claimed notes a claim that was granted.
func (r *registry) claimed(n *node, me, from failover.Node, k failover.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.grant(grant{r.w.now(), me, from, k.Epoch}, k)
}

// grant judges S6 and notes a grant that is news.
func (r *registry) grant(g grant, k failover.Key) {
	all := r.grants[k.CallID]
	if len(all) > 0 {
		last := all[len(all)-1]
		if last.to == g.to && last.epoch == g.epoch {
			return
		}
		if g.epoch <= last.epoch && !r.undoneSince(last.at) {
			r.w.violated("S6", nil, g.at, "%s", fmt.Sprintf("call %s is given to %s in epoch %d, and belongs to %s in epoch %d", k.CallID, g.to.Name, g.epoch, last.to.Name, last.epoch))
		}
	}
	r.grants[k.CallID] = append(all, g)
}

func (r *registry) undoneSince(at time.Duration) bool {
	for _, u := range r.undone {
		if u >= at {
			return true
		}
	}
	return false
}

// undo notes that what was written is lost. r.mu is held.
func (r *registry) undo() { r.undone = append(r.undone, r.w.now()) }

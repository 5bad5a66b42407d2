package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Pair is an active node and a standby node that share one address. The node that takes calls
// over takes the address first, and kills the other one (STONITH), which may still be alive.
// A node that starts again has a new name, so that it does not take back calls that it could
// not serve.
var Pair = Stack{
	Name: "pair", Nodes: [2]int{2, 2}, Peers: [2]int{50, 300}, Shared: true, Common: true,
	Options: func(n *node) []middleware.Option {
		life := n.lives
		take := func(d dialogstore.Dialog) failover.Decision {
			n.w.move(n, life)
			return n.w.plan.Takeover.decide(d)
		}
		return []middleware.Option{middleware.WithFailover(n.w.registry.link(n), failover.WithName(fmt.Sprintf("%s.%d", n.name, life)),
			failover.WithBeat(n.w.plan.Beat), failover.WithTakeover(take))}
	},
	Leave: func(ctx context.Context, t *middleware.Timers) error { return t.Leave(ctx) },
}

// turnOf begins the time in which a node has the common address; the node is nil if none has
// it.
type turnOf struct {
	at time.Duration
	n  *node
}

// move gives the common address to n, and kills the node that has it.
func (w *world) move(n *node, life int) {
	ua, _, up := n.running()
	x := w.wire
	x.mu.Lock()
	former := x.nodes[n.addr]
	if _, runs := n.standsStill(life); !up || !runs || former == n {
		x.mu.Unlock()
		return
	}
	if former != nil && former.die() {
		w.shot <- former
	}
	x.pass(n.addr, n)
	x.mu.Unlock()
	ua.Move()
}

// pass notes which node has the common address. x.mu is held.
func (x *wire) pass(addr string, n *node) {
	x.nodes[addr] = n
	x.turns = append(x.turns, turnOf{x.w.now(), n})
}

// free notes that n has died: the address is free until a node takes calls over. If there are
// no calls, a running node gets it.
func (w *world) free(n *node) {
	x := w.wire
	x.mu.Lock()
	defer x.mu.Unlock()
	if w.stack.Common && x.nodes[n.addr] == n {
		x.pass(n.addr, nil)
		time.AfterFunc(w.takenWithin(), w.provide)
	}
}

// provide gives a free address to a running node.
func (w *world) provide() {
	w.wire.mu.Lock()
	free := w.wire.nodes[w.nodes[0].addr] == nil
	w.wire.mu.Unlock()
	for _, n := range w.nodes {
		if _, _, up := n.running(); up && free {
			n.mu.Lock()
			life := n.lives
			n.mu.Unlock()
			w.move(n, life)
			return
		}
	}
	if free {
		time.AfterFunc(time.Second, w.provide)
	}
}

// had reports whether n had its address for all of the time. x.mu is held.
func (x *wire) had(n *node, from, to time.Duration) bool {
	if !x.w.stack.Common {
		return true
	}
	had := false
	for _, t := range x.turns {
		if t.at <= from {
			had = t.n == n
		} else if t.at < to && t.n != n {
			return false
		}
	}
	return had
}

// has reports whether n can be reached at its address.
func (x *wire) has(n *node) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.nodes[n.addr] == n
}

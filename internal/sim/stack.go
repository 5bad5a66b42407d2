package sim

import (
	"context"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Stack is what the nodes of a run are made of.
type Stack struct {
	Name  string
	Nodes [2]int // least and most
	Peers [2]int

	// Options are those of a node that starts, besides those of the simulation.
	Options func(n *node) []middleware.Option
	// Started is called when a node has started. May be nil.
	Started func(n *node)
	// Leave hands the calls of a node over before a planned stop. Nil: there is no
	// such thing, and a planned stop is no fault.
	Leave func(context.Context, *middleware.Timers) error
	// Shared reports whether calls outlive their node, so that what is said of a
	// registry is judged.
	Shared bool
	// Registry makes the one that they share. Nil: a failover.Memory.
	Registry func(*testing.T) Shared
	// Common reports whether the nodes share one address, which moves with the calls.
	Common bool
	// Plant is a fault put in on purpose. Mostly nil.
	Plant Plant
}

func (s *Stack) registry(t *testing.T) Shared {
	if s.Registry == nil {
		return failover.NewMemory()
	}
	return s.Registry(t)
}

// Alone is a node without failover: its calls end with it.
var Alone = Stack{
	Name: "alone", Nodes: [2]int{1, 2}, Peers: [2]int{50, 500},
	Options: func(*node) []middleware.Option { return nil },
}

// Cluster are nodes at addresses of their own that share a registry.
var Cluster = Stack{
	Name: "cluster", Nodes: [2]int{2, 5}, Peers: [2]int{50, 500}, Shared: true,
	Options: func(n *node) []middleware.Option {
		return []middleware.Option{middleware.WithFailover(n.w.registry.link(n),
			failover.WithName(n.name), failover.WithAddress(n.addr), failover.WithBeat(n.w.plan.Beat),
			failover.WithTakeover(n.w.plan.Takeover.decide))}
	},
	Leave: func(ctx context.Context, t *middleware.Timers) error { return t.Leave(ctx) },
}

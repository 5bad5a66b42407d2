package sim

import (
	"context"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Stack defines the nodes of a run.
type Stack struct {
	Name  string
	Nodes [2]int // minimum and maximum
	Peers [2]int

	// Options returns options for a node that starts, besides those of the simulation.
	Options func(n *node) []middleware.Option
	// Started is called when a node has started, before it hears anything. May be nil.
	Started func(n *node)
	// Leave hands the calls of a node over before a planned stop. If it is nil, there are
	// no planned stops.
	Leave func(context.Context, *middleware.Timers) error
	// Shared reports whether calls outlive their node, so that the rules about the registry
	// are judged.
	Shared bool
	// Registry makes the registry that the nodes share. Nil: a failover.Memory.
	Registry func(*testing.T) Shared
	// Common reports whether the nodes share one address, which moves with the calls.
	Common bool
	// Plant is a fault put in on purpose; usually nil.
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

// Cluster is a set of nodes that have their own addresses and share a registry.
var Cluster = Stack{
	Name: "cluster", Nodes: [2]int{2, 5}, Peers: [2]int{50, 500}, Shared: true,
	Options: func(n *node) []middleware.Option {
		return []middleware.Option{middleware.WithFailover(n.w.registry.link(n),
			failover.WithName(n.name), failover.WithAddress(n.addr), failover.WithBeat(n.w.plan.Beat),
			failover.WithTakeover(n.w.plan.Takeover.decide))}
	},
	Leave: func(ctx context.Context, t *middleware.Timers) error { return t.Leave(ctx) },
}

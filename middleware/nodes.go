package middleware

import (
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/ownership"
)

// Node is one run of a node of the cluster, as this node sees it. A process that restarts
// under the same name is another run.
type Node struct {
	Name  string // of failover.WithName
	Run   string // unique among the runs with that name
	Self  bool   // it is this run of this node
	State NodeState
	// Seen is when it last reported to the registry, by the clock of this node. It is zero
	// if this node has not reported yet.
	Seen time.Time
}

// NodeState is the state of a node as far as this node can see.
type NodeState uint8

// The states of nodes.
const (
	// NodeAlive: it has reported within the lease. A node that was found in the registry
	// counts as alive for a lease.
	NodeAlive NodeState = iota
	// NodeSilent: it has not, but is not known to be dead, because this node cannot reach
	// the registry, or could not a moment ago. This node itself is silent if its own
	// reports fail, or if another node has declared it dead.
	NodeSilent
	// NodeLeft: it has handed its calls over (see Timers.Leave), or was closed.
	NodeLeft
	// NodeDead: it has not reported for a lease while this node could, or it is an earlier
	// run of this one. Its calls are taken over.
	NodeDead
)

var nodeStates = [...]string{NodeAlive: "alive", NodeSilent: "silent", NodeLeft: "left", NodeDead: "dead"}

// String returns "alive", "silent", "left" or "dead".
func (s NodeState) String() string {
	if int(s) < len(nodeStates) {
		return nodeStates[s]
	}
	return "unknown"
}

// MarshalText implements encoding.TextMarshaler. It returns the text of String.
func (s NodeState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

var stateOf = [...]NodeState{ownership.Living: NodeAlive, ownership.Quiet: NodeSilent,
	ownership.Departed: NodeLeft, ownership.Deceased: NodeDead}

// Nodes returns the nodes that share the calls: this one first, then the others by name,
// as of the latest report of this node that the registry answered. Runs that have ended
// stay for an hour, or for as long as they have calls. Nodes does not ask the registry. It
// returns nil without WithFailover. Only a node itself knows how many calls it has: see
// NodeStats.
func (t *Timers) Nodes() []Node {
	if t.node == nil {
		return nil
	}
	var all []Node
	for i, s := range t.node.Nodes() {
		all = append(all, Node{Name: s.Name, Run: s.Run, Self: i == 0, State: stateOf[s.Standing], Seen: s.Seen})
	}
	return all
}

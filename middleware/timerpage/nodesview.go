package timerpage

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// nodesView is this node of a cluster, and what it sees of the others.
type nodesView struct {
	Now      time.Time      `json:"now"`
	Live     int            `json:"live"`  // nodes
	Nodes    []nodeRow      `json:"nodes"` // this one first, then those that live
	More     int            `json:"more"`  // nodes that are not listed
	Owned    int            `json:"owned"` // calls of this one
	Waiting  int            `json:"waiting"`
	LeaseAge *span          `json:"lease_age"` // null before the first good heartbeat
	Degraded bool           `json:"degraded"`  // the registry is unreachable
	Kept     uint64         `json:"kept"`
	Ended    uint64         `json:"ended"`
	Refused  uint64         `json:"refused"`
	Delays   []delay        `json:"delays"`          // of takeovers
	From     map[string]int `json:"taken_over_from"` // calls that are up, by the node that served them before
	Fenced   fenced         `json:"fenced"`
}

// nodeRow is a run of a node.
type nodeRow struct {
	Name  string    `json:"name"`
	Run   string    `json:"run"`
	Self  bool      `json:"self"`
	State condition `json:"state"`
	Seen  time.Time `json:"seen,omitzero"`
}

// delay is the number of takeovers that took up to UpTo, and longer than the UpTo before it.
// A zero UpTo stands for all longer times.
type delay struct {
	UpTo span   `json:"up_to"`
	Many uint64 `json:"many"`
}

// fenced counts released calls, by how this node noticed that another one owns them.
type fenced struct {
	ByRegistry uint64 `json:"by_registry"`
	ByLease    uint64 `json:"by_lease"`
	ByPeer     uint64 `json:"by_peer"`
}

func (p *Page) nodesView(ctx context.Context) (v nodesView, err error) {
	n := p.timers.Stats().Node
	if n == nil {
		return v, errNoView
	}
	s, err := p.calls.latest(ctx)
	if err != nil {
		return v, err
	}
	v = nodesView{
		Now: time.Now(), Live: n.Nodes, Nodes: nodeRows(p.timers.Nodes()), Owned: n.Owned, Waiting: n.Waiting, Degraded: n.Degraded,
		Kept: n.Kept, Ended: n.Ended, Refused: n.Refused, From: s.from, Delays: []delay{},
		Fenced: fenced{n.FencedByRegistry, n.FencedByLease, n.FencedByPeer},
	}
	v.More = max(0, len(v.Nodes)-longest)
	v.Nodes = v.Nodes[:len(v.Nodes)-v.More]
	if n.LeaseAge >= 0 {
		age := span(n.LeaseAge.Round(100 * time.Millisecond))
		v.LeaseAge = &age
	}
	for i, many := range n.Delay.Counts {
		d := delay{Many: many}
		if i < len(n.Delay.Bounds) {
			d.UpTo = span(n.Delay.Bounds[i])
		}
		if many > 0 {
			v.Delays = append(v.Delays, d)
		}
	}
	return v, nil
}

// nodeRows sorts nodes by their state, this one first. Those that do not live come in the
// order of their last reports, the latest first; those that do are reporting all the time.
func nodeRows(nodes []middleware.Node) []nodeRow {
	slices.SortStableFunc(nodes[1:], func(a, b middleware.Node) int {
		if a.State != b.State || a.State == middleware.NodeAlive {
			return cmp.Compare(a.State, b.State)
		}
		return b.Seen.Compare(a.Seen)
	})
	rows := make([]nodeRow, len(nodes))
	for i, n := range nodes {
		over := n.State == middleware.NodeDead || n.State == middleware.NodeLeft
		again := over && slices.ContainsFunc(nodes, func(o middleware.Node) bool { return o.Name == n.Name && o.State == middleware.NodeAlive })
		rows[i] = nodeRow{n.Name, n.Run, n.Self, standing(n.State, again), n.Seen}
	}
	return rows
}

// standing is the state of a run; again is set if a later one of the same name lives.
func standing(s middleware.NodeState, again bool) condition {
	switch {
	case again:
		return condition{"restarted", "none"}
	case s == middleware.NodeAlive:
		return condition{"alive", "good"}
	case s == middleware.NodeLeft:
		return condition{"left", "none"}
	}
	return condition{s.String(), "bad"}
}

package timerpage

import (
	"context"
	"time"
)

// nodesView is this node of a cluster, and what it sees of the others.
type nodesView struct {
	Now      time.Time      `json:"now"`
	Nodes    int            `json:"nodes"` // that live
	Owned    int            `json:"owned"` // calls of this one
	Waiting  int            `json:"waiting"`
	LeaseAge *span          `json:"lease_age"` // null before the first good heartbeat
	Degraded bool           `json:"degraded"`  // the registry is out of reach
	Kept     uint64         `json:"kept"`
	Ended    uint64         `json:"ended"`
	Refused  uint64         `json:"refused"`
	Delays   []delay        `json:"delays"`          // of takeovers
	From     map[string]int `json:"taken_over_from"` // calls that are up, by the node that served them before
	Fenced   fenced         `json:"fenced"`
}

// delay is how many takeovers took up to a time, and longer than the one before it. The
// zero span is any time above.
type delay struct {
	UpTo span   `json:"up_to"`
	Many uint64 `json:"many"`
}

// fenced are calls that were let go, by how it was noticed that another node has them.
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
		Now: time.Now(), Nodes: n.Nodes, Owned: n.Owned, Waiting: n.Waiting, Degraded: n.Degraded,
		Kept: n.Kept, Ended: n.Ended, Refused: n.Refused, From: s.from, Delays: []delay{},
		Fenced: fenced{n.FencedByRegistry, n.FencedByLease, n.FencedByPeer},
	}
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

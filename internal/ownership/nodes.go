package ownership

import (
	"cmp"
	"slices"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Sighting is a run of a node as this one sees it.
type Sighting struct {
	failover.Node
	Standing Standing
	Seen     time.Time // when it was last seen to beat, by our clock; zero if never
}

// Standing is the state of a run as far as this node can see.
type Standing uint8

// The standings.
const (
	Living   Standing = iota // it has beaten within a lease
	Quiet                    // it has not, but its calls are not free to be claimed yet
	Departed                 // it has handed its calls over
	Deceased                 // its calls are free to be claimed
)

// Nodes returns this run of the node, and then the other runs that the registry knew at the
// latest good beat, by name.
func (n *Node) Nodes() []Sighting {
	now := time.Now()
	me := Sighting{Node: n.me}
	if sent := n.lease.sent.Load(); sent != nil {
		me.Seen = sent.at
	}
	switch {
	case !n.serving.Load():
		me.Standing = Departed
	case !n.lease.good(now):
		me.Standing = Quiet
	}
	all := []Sighting{me}
	v := n.seen.Load()
	if v == nil {
		return all
	}
	for _, s := range v.runs {
		if s.Standing == Living && now.Sub(s.Seen) > n.lease.length {
			s.Standing = Quiet
		}
		all = append(all, s)
	}
	slices.SortFunc(all[1:], func(a, b Sighting) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Run, b.Run)) })
	return all
}

// standing returns the Standing of a run after the latest pulse.
func (s *sight) standing() Standing {
	switch {
	case s.gone.IsZero():
		return Living
	case s.how == Left:
		return Departed
	}
	return Deceased
}

package ownership

import (
	"slices"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// watch decides which nodes are dead, from the pulses that our beats return. It does no I/O
// and gets the time from its caller.
//
// A node is dead when its count has not changed for a lease, by our own clock, while all of
// our own beats succeeded. After an outage of the registry every count looks old, so a
// failed beat ends a series, and the silence of a node must lie within one series: from the
// answer that first showed its count to a beat that was sent a lease later.
type watch struct {
	me         failover.Node
	lease      time.Duration
	seen       map[failover.Node]*sight
	begun      bool   // there was a pulse
	generation string // of the registry
	count      uint64 // our own Count in the latest pulse
	buried     uint64 // our own Buried in the latest pulse
}

// sight is what this node has seen of another run.
type sight struct {
	count   uint64
	moved   time.Time // when the count was last seen to change, in any series
	still   time.Time // since when it has not changed, in this series; zero at the start of one
	gone    time.Time // when its calls became free; zero if they are not
	how     How
	earlier bool // an earlier run of this node
	twin    bool // a run with our name that is alive
}

// view is what a pulse means for the claimer. It is never changed after it was published.
type view struct {
	others []uint64 // nameHash of the other nodes that are alive
	gone   []gone
	runs   []Sighting // all other runs, for Nodes
}

// gone is a run whose calls are free to be claimed.
type gone struct {
	failover.Node
	count uint64
	how   How
	moved time.Time // when it was last seen alive
	since time.Time // when its calls became free
}

// news is what this node learns about itself from a pulse.
type news struct {
	emptied bool // the registry has lost some or all of what was written
	buried  bool // another node has declared this one dead
	twin    bool // another process with our name is alive
}

func newWatch(me failover.Node, lease time.Duration) *watch {
	return &watch{me: me, lease: lease, seen: make(map[failover.Node]*sight)}
}

// interrupt starts a new series, because a beat has failed or this process was stalled.
func (w *watch) interrupt() {
	for _, s := range w.seen {
		s.still = time.Time{}
	}
}

// pulse handles the answer to a beat. sent and answered are when the beat was sent and
// answered.
func (w *watch) pulse(sent, answered time.Time, p failover.Pulse) (v *view, n news) {
	known := make(map[failover.Node]bool, len(p.Nodes))
	for _, b := range p.Nodes {
		if b.Node == w.me {
			n.emptied = w.begun && b.Count <= w.count
			w.count = b.Count
			continue
		}
		known[b.Node] = true
		if w.look(sent, answered, b) {
			n.twin = true
		}
	}
	for node := range w.seen {
		if !known[node] {
			delete(w.seen, node)
		}
	}
	n.emptied = n.emptied || w.begun && p.Generation != w.generation
	n.buried = w.begun && p.Buried > w.buried
	w.begun, w.generation, w.buried = true, p.Generation, p.Buried
	return w.view(), n
}

// look handles one other run in a pulse, and reports whether it has just turned out to be a
// twin: a run with our name that is alive.
func (w *watch) look(sent, answered time.Time, b failover.Beating) (twin bool) {
	s := w.seen[b.Node]
	if s == nil {
		s = &sight{count: b.Count, moved: answered, earlier: b.Name == w.me.Name && !w.begun}
		w.seen[b.Node] = s
	} else if s.count != b.Count {
		twin = b.Name == w.me.Name && !s.twin
		*s = sight{count: b.Count, moved: answered, twin: s.twin || twin}
	}
	if s.still.IsZero() {
		s.still = answered
	}
	how := Died
	switch {
	case s.earlier:
		how = Earlier
	case b.Left:
		how = Left
	case sent.Sub(s.still) < w.lease:
		s.gone = time.Time{}
		return twin
	}
	if s.gone.IsZero() {
		s.gone, s.how = answered, how
	}
	return twin
}

func (w *watch) view() *view {
	v := &view{}
	for node, s := range w.seen {
		v.runs = append(v.runs, Sighting{node, s.standing(), s.moved})
		if !s.gone.IsZero() {
			v.gone = append(v.gone, gone{node, s.count, s.how, s.moved, s.gone})
		} else if hash := nameHash(node.Name); node.Name != w.me.Name && !slices.Contains(v.others, hash) {
			v.others = append(v.others, hash)
		}
	}
	return v
}

// next returns the latest time for the next beat that detects a dead node as soon as
// possible; zero if no node can be found dead.
func (w *watch) next() (at time.Time) {
	for _, s := range w.seen {
		if !s.gone.IsZero() || s.still.IsZero() {
			continue
		}
		if missed := s.still.Add(w.lease); at.IsZero() || missed.Before(at) {
			at = missed
		}
	}
	return at
}

// after returns how long ago the node was last seen alive.
func (g *gone) after(now time.Time) time.Duration { return now.Sub(g.moved) }

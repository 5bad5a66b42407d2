package ownership

import (
	"slices"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// watch tells who is dead by what the beats of this node bring. It is handed the time,
// and asks nobody.
//
// A node is dead when its count has not moved for a lease of our own clock while our
// own beats have all succeeded: after an outage of the registry each count looks old.
// So silence counts from the answer that showed the count first, to a beat that was
// sent a lease later, in one series of good beats.
type watch struct {
	me         failover.Node
	lease      time.Duration
	seen       map[failover.Node]*sight
	begun      bool   // there was a pulse
	generation string // of the registry
	count      uint64 // of our own beats, as the registry has it
	buried     uint64 // how often we were
}

// sight is one other run.
type sight struct {
	count   uint64
	moved   time.Time // when the count was seen to have moved last, in any series
	still   time.Time // since when it stands still, in this series; zero at its begin
	gone    time.Time // when its calls became free; zero if they are not
	how     How
	earlier bool // it was there before us, under our name
	twin    bool // it has our name, and lives
}

// view is what a pulse means for those who claim. It is not changed once it is seen.
type view struct {
	others []uint64 // hashes of the names of the other nodes that live
	gone   []gone
}

// gone is a run whose calls are free.
type gone struct {
	failover.Node
	count uint64
	how   How
	moved time.Time // when it was seen to be alive last
	since time.Time // when its calls became free
}

// news is what a pulse says of this node.
type news struct {
	emptied bool // the registry has lost all or some of what was written
	buried  bool // others take us for dead
	twin    bool // another process has our name, and lives
}

func newWatch(me failover.Node, lease time.Duration) *watch {
	return &watch{me: me, lease: lease, seen: make(map[failover.Node]*sight)}
}

// interrupt begins another series: a beat has failed, or this process stood still.
func (w *watch) interrupt() {
	for _, s := range w.seen {
		s.still = time.Time{}
	}
}

// pulse takes in the answer to a beat, with when it was sent and when answered.
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

// look looks at one other run, and reports whether it has just turned out to be a twin:
// one of our name that lives.
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
		if !s.gone.IsZero() {
			v.gone = append(v.gone, gone{node, s.count, s.how, s.moved, s.gone})
		} else if hash := nameHash(node.Name); node.Name != w.me.Name && !slices.Contains(v.others, hash) {
			v.others = append(v.others, hash)
		}
	}
	return v
}

// next is when to beat at the latest, so that whoever is silent by then is missed in
// time; zero if nobody can be.
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

// after is how long ago the node was seen to live.
func (g *gone) after(now time.Time) time.Duration { return now.Sub(g.moved) }

package ownership

import (
	"slices"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

var (
	us   = failover.Node{Name: "us", Run: "2"}
	them = failover.Node{Name: "them", Run: "1"}
)

// beat is one of ours in a script: when it is sent, how long the answer takes, and what
// is seen of the other node then.
type scripted struct {
	at, takes time.Duration
	other     failover.Beating
	broken    bool // it fails, or the process has stood still
	gone      bool // whether the other one's calls are free then
}

// A node is dead when its count has not moved for a lease of our own clock in one series
// of good beats, from an answer to a beat that is sent a lease later.
func TestWatch(t *testing.T) {
	still := func(at time.Duration, gone bool) scripted {
		return scripted{at: at, other: failover.Beating{Node: them, Count: 7}, gone: gone}
	}
	moved := func(at time.Duration, count uint64) scripted {
		return scripted{at: at, other: failover.Beating{Node: them, Count: count}}
	}
	slow := func(s scripted, by time.Duration) scripted { s.takes = by; return s }
	broken := func(at time.Duration) scripted { return scripted{at: at, broken: true} }
	left := func(at time.Duration, gone bool) scripted {
		return scripted{at: at, other: failover.Beating{Node: them, Count: 7, Left: true}, gone: gone}
	}
	ours := failover.Node{Name: "us", Run: "1"}
	earlier := func(at time.Duration, count uint64, gone bool) scripted {
		return scripted{at: at, other: failover.Beating{Node: ours, Count: count}, gone: gone}
	}
	const s = time.Second
	for _, c := range []struct {
		name   string
		script []scripted
	}{
		{"silent for a lease", []scripted{still(0, false), still(3*s, false), still(6*s-1, false), still(6*s, true), still(7*s, true)}},
		{"silence counts from the answer", []scripted{slow(still(0, false), 2*s), still(6*s, false), still(8*s, true)}},
		{"to a beat that is sent", []scripted{still(0, false), slow(still(5*s, false), 2*s), still(7*s, true)}},
		{"it moves", []scripted{moved(0, 7), moved(5*s, 8), moved(10*s, 9), moved(15*s, 9), moved(16*s-1, 9)}},
		{"it goes back", []scripted{moved(0, 7), moved(5*s, 8), moved(10*s, 3), moved(15*s, 3)}},
		{"it comes back", []scripted{still(0, false), still(6*s, true), moved(7*s, 8), moved(12*s, 8)}},
		{"our own beat fails", []scripted{still(0, false), broken(3 * s), still(6*s, false), still(11*s, false), still(12*s, true)}},
		{"an outage of the registry", []scripted{still(0, false), broken(3 * s), broken(60 * s), still(61*s, false), still(66*s, false), still(67*s, true)}},
		{"dead before an outage, who knows after it", []scripted{still(0, false), still(6*s, true), broken(8 * s), still(9*s, false), still(15*s, true)}},
		{"it has left", []scripted{moved(0, 7), left(s, true), broken(2 * s), left(3*s, true)}},
		{"it takes that back", []scripted{left(0, true), moved(s, 8)}},
		{"an earlier run of ours", []scripted{earlier(0, 7, true), broken(s), earlier(2*s, 7, true)}},
		{"a twin is no earlier run", []scripted{earlier(0, 7, true), earlier(s, 8, false), earlier(2*s, 9, false)}},
		{"nor is a later one", []scripted{moved(0, 7), earlier(s, 1, false), earlier(2*s, 2, false)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			w := newWatch(us, 6*s)
			for i, b := range c.script {
				if b.broken {
					w.interrupt()
					continue
				}
				sent := start.Add(b.at)
				v, _ := w.pulse(sent, sent.Add(b.takes), failover.Pulse{Nodes: []failover.Beating{{Node: us, Count: uint64(i + 1)}, b.other}})
				if got := len(v.gone) == 1; got != b.gone {
					t.Errorf("at %v its calls are free: %v, should be %v", b.at, got, b.gone)
				}
			}
		})
	}
}

// The next beat is sent no later than when somebody may be missed.
func TestWatchNext(t *testing.T) {
	start := time.Now()
	w := newWatch(us, 6*time.Second)
	if at := w.next(); !at.IsZero() {
		t.Errorf("nobody is there, and may be missed at %v", at.Sub(start))
	}
	nodes := []failover.Beating{{Node: us, Count: 1}, {Node: them, Count: 7}, {Node: failover.Node{Name: "third"}, Count: 1}}
	w.pulse(start, start, failover.Pulse{Nodes: nodes})
	nodes[2].Count++
	w.pulse(start.Add(2*time.Second), start.Add(2*time.Second), failover.Pulse{Nodes: nodes})
	if at := w.next().Sub(start); at != 6*time.Second {
		t.Errorf("next at %v, want 6 s", at)
	}
	w.pulse(start.Add(6*time.Second), start.Add(6*time.Second), failover.Pulse{Nodes: nodes})
	if at := w.next().Sub(start); at != 8*time.Second {
		t.Errorf("next at %v, want 8 s: one is dead by now", at)
	}
}

// What a pulse says of this node itself.
func TestNews(t *testing.T) {
	start := time.Now()
	for _, c := range []struct {
		name          string
		before, after failover.Pulse
		want          news
	}{
		{"nothing", pulse("g", 0, 1), pulse("g", 0, 2), news{}},
		{"another generation", pulse("g", 0, 1), pulse("h", 0, 2), news{emptied: true}},
		{"our count goes back", pulse("g", 0, 5), pulse("g", 0, 4), news{emptied: true}},
		{"our count stands", pulse("g", 0, 5), pulse("g", 0, 5), news{emptied: true}},
		{"buried", pulse("g", 1, 1), pulse("g", 2, 2), news{buried: true}},
		{"buried before", pulse("g", 1, 1), pulse("g", 1, 2), news{}},
	} {
		w := newWatch(us, time.Second)
		if _, first := w.pulse(start, start, c.before); first != (news{}) {
			t.Errorf("%s: the first pulse says %+v", c.name, first)
		}
		if _, got := w.pulse(start, start, c.after); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	w := newWatch(us, time.Second)
	twin := failover.Beating{Node: failover.Node{Name: "us", Run: "3"}}
	var said []bool
	for i := range 4 {
		p := pulse("g", 0, uint64(i+1))
		if i > 0 {
			twin.Count++
			p.Nodes = append(p.Nodes, twin)
		}
		_, n := w.pulse(start, start, p)
		said = append(said, n.twin)
	}
	if want := []bool{false, false, true, false}; !slices.Equal(said, want) {
		t.Errorf("of a twin it is said %v, want once, when it is seen to live", said)
	}
}

func pulse(generation string, buried, count uint64) failover.Pulse {
	return failover.Pulse{Generation: generation, Buried: buried, Nodes: []failover.Beating{{Node: us, Count: count}}}
}

// A node that is forgotten by the registry is forgotten here, and those that live are
// counted by their names.
func TestView(t *testing.T) {
	start := time.Now()
	w := newWatch(us, 6*time.Second)
	all := []failover.Beating{{Node: us, Count: 1}, {Node: them, Count: 1}, {Node: failover.Node{Name: "them", Run: "2"}, Count: 1},
		{Node: failover.Node{Name: "us", Run: "0"}, Count: 1}, {Node: failover.Node{Name: "third"}, Count: 1, Left: true}}
	v, _ := w.pulse(start, start, failover.Pulse{Nodes: all})
	if want := []uint64{nameHash("them")}; !slices.Equal(v.others, want) || len(v.gone) != 2 {
		t.Errorf("others %v, gone %v; want %v, the earlier run and the one that has left", v.others, v.gone, want)
	}
	v, _ = w.pulse(start, start, failover.Pulse{Nodes: all[:1]})
	if len(v.others)+len(v.gone)+len(w.seen) != 0 {
		t.Errorf("%+v and %d sights are left of nodes that are forgotten", v, len(w.seen))
	}
}

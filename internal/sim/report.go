package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// report fails the test with the violations found, each with the ladder of its call, and only
// a few of each kind.
func (w *world) report() {
	shown := make(map[string]int)
	for _, v := range w.found {
		if shown[v.Rule]++; shown[v.Rule] > 3 {
			continue
		}
		text := fmt.Sprintf("seed %d, %s: %s", w.plan.Seed, v.Rule, v.Text)
		if v.Call != nil {
			text += "\n" + w.ladder(v.Call, v.At)
		}
		w.Error(text)
	}
	for rule, n := range shown {
		if n > 3 {
			w.Errorf("seed %d, %s: %d in all", w.plan.Seed, rule, n)
		}
	}
}

// ladder shows the messages of a call before a moment and soon after it, and the times in
// which its nodes did not run.
func (w *world) ladder(c *Call, at time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s %+v, up from %.3f s to %.3f s: %s %s\n", c.ID, c.peer.addr, c.peer.kind,
		c.Began.Seconds(), c.Ended.Seconds(), c.Why, c.By)
	names := []string{c.peer.name}
	var marks []mark
	for _, n := range w.nodes {
		names = append(names, n.name)
		for _, s := range n.away {
			marks = append(marks, mark{s.from, fmt.Sprintf("%s does not run until %.3f s", n.name, s.to.Seconds())})
		}
		for _, s := range w.wire.cuts[path{n.name, c.peer.addr}] {
			marks = append(marks, mark{s.from, fmt.Sprintf("%s and %s are cut off until %.3f s", n.name, c.peer.name, s.to.Seconds())})
		}
	}
	rows := &tail{}
	if w.registry != nil {
		marks = append(marks, w.registry.marks(c)...)
	}
	w.eventsMu.Lock()
	marks = append(marks, w.events[c.ID]...)
	w.eventsMu.Unlock()
	l := sipnet.NewLadder(rows, names...)
	l.Alias(c.peer.addr, c.peer.name)
	slices.SortStableFunc(marks, func(a, b mark) int { return int(a.at - b.at) })
	tell := func(until time.Duration) {
		for len(marks) > 0 && marks[0].at <= until {
			l.Note(marks[0].at, marks[0].text)
			marks = marks[1:]
		}
	}
	for _, p := range w.wire.tapes[c.peer.addr].packets {
		if p.at > at+time.Minute || !strings.Contains(p.text, c.ID) {
			continue
		}
		tell(p.at)
		m := sipnet.Message{At: p.at, From: p.from, To: p.to, Dropped: p.arrives == 0}
		switch {
		case p.node == nil:
		case p.from == p.node.addr:
			m.From = p.node.name
		default:
			m.To = p.node.name
		}
		m.SIP, _ = sip.ParseMessage([]byte(p.text))
		l.Message(m)
	}
	tell(at)
	return b.String() + rows.String()
}

// tail keeps the heading of a ladder and its last rows.
type tail struct{ rows []string }

const longest = 60

func (t *tail) Write(row []byte) (int, error) {
	if len(t.rows) == longest {
		t.rows = slices.Delete(t.rows, 1, 2)
	}
	t.rows = append(t.rows, string(row))
	return len(row), nil
}

func (t *tail) String() string { return strings.Join(t.rows, "") }

// mark is an event of a run that is not a message.
type mark struct {
	at   time.Duration
	text string
}

// note keeps an event of a node for the ladder.
func (n *node) note(e sessiontimer.Event) {
	text := fmt.Sprintf("%s: %T", n.name, e)
	switch e := e.(type) {
	case sessiontimer.Refreshed:
		return // the 2xx shows it
	case sessiontimer.Released:
		n.drop(e.CallID) // as a careful application does
		text += " to " + e.To
	case sessiontimer.TakenOver:
		n.w.registry.served(n, e.CallID)
		text += " from " + e.From
	case sessiontimer.RefreshFailed:
		text += fmt.Sprintf(" %d %v", e.Status, e.Err)
	case sessiontimer.Expired:
		text += " " + e.Reason.String()
	case sessiontimer.Ended:
		text += " " + e.Reason.String()
	}
	n.w.eventsMu.Lock()
	defer n.w.eventsMu.Unlock()
	id := e.Info().CallID
	n.w.events[id] = append(n.w.events[id], mark{n.w.now(), text})
}

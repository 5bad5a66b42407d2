package sim

import (
	"context"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/inside"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// The judge finds what is wrong on purpose, by the rule that it breaks.
func TestSabotage(t *testing.T) {
	with := func(opts ...middleware.Option) Stack {
		s := few(Alone)
		s.Options = func(*node) []middleware.Option { return opts }
		return s
	}
	now := func(w func(*node)) Stack {
		s := few(Alone)
		s.Started = w
		return s
	}
	for _, c := range []struct {
		name, rule string
		stack      Stack
	}{
		{"refreshes far too early", "S4", with(middleware.WithJitter(0.5))},
		{"hangs up for no reason", "S3", now(func(n *node) { n.each(time.Hour, n.bye) })},
		{"forgets calls", "S5", now(func(n *node) { n.each(time.Hour, n.forget) })},
		{"answers no BYE", "S7", now(func(n *node) { n.ua.Server.Server.OnBye(func(*sip.Request, sip.ServerTransaction) {}) })},
		{"keeps calls", "L2", now(func(n *node) { n.each(30*time.Minute, n.invent) })},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := make(map[string]int)
			alarm := time.AfterFunc(time.Minute, func() { panic("does not end") })
			defer alarm.Stop()
			inspect(t, c.stack, 1, func(v Violation) { found[v.Rule]++ })
			if found[c.rule] == 0 {
				t.Errorf("found %v, want %s", found, c.rule)
			}
		})
	}
}

// each does something to each call of n once, after a while.
func (n *node) each(after time.Duration, do func(dialogstore.Dialog)) {
	time.AfterFunc(after, func() {
		if _, _, up := n.running(); up {
			for call := range n.ua.Timers.Calls(context.Background()) {
				do(call.Dialog)
			}
		}
	})
}

func (n *node) forget(d dialogstore.Dialog) {
	_, _ = inside.StoreOf(n.ua.Timers).Delete(context.Background(), d.ID)
}

// invent puts a call into the store that nobody has, and that never expires.
func (n *node) invent(d dialogstore.Dialog) {
	d.CallID += "-invented"
	d.Session.Interval = 24 * time.Hour
	_ = inside.StoreOf(n.ua.Timers).Create(context.Background(), d)
}

func (n *node) bye(d dialogstore.Dialog) { n.hangUp(d.CallID) }

// S1 and S6 are about what peers accept and registries grant: they are judged by hand.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		numbers string
		lax     bool
		want    bool
	}{
		{"1 2 1003", false, true},
		{"1 2 2", false, false},
		{"5 4", false, false},
		{"5 4", true, false},
	} {
		w := &world{}
		v := &view{world: w, Call: &Call{peer: &peer{kind: Kind{LaxCSeq: c.lax}}}}
		for i, n := range regexp.MustCompile(`\d+`).FindAllString(c.numbers, -1) {
			number, _ := strconv.Atoi(n)
			v.Ledger = append(v.Ledger, Entry{At: time.Duration(i), Number: uint32(number), Status: 200})
		}
		if v.numbers(); (len(w.found) == 0) != c.want {
			t.Errorf("accepted %s, lax %v: found %v, want none: %v", c.numbers, c.lax, w.found, c.want)
		}
	}
}

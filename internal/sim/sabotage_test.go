package sim

import (
	"context"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
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
	shared := func(p Plant, opts ...failover.Option) Stack {
		s := small
		s.Plant = p
		s.Options = func(n *node) []middleware.Option {
			all := append([]failover.Option{failover.WithName(n.name), failover.WithAddress(n.addr)}, opts...)
			return []middleware.Option{middleware.WithFailover(n.w.registry.link(n), all...)}
		}
		return s
	}
	for _, c := range []struct {
		name, rule string
		stack      Stack
	}{
		{"refreshes far too early", "S4", with(middleware.WithJitter(0.5))},
		{"hangs up for no reason", "S3", now(func(n *node) { n.each(time.Hour, n.bye) })},
		{"forgets calls", "S5", now(func(n *node) { n.each(time.Hour, n.forget) })},
		{"knows no call", "S3", now(func(n *node) {
			n.ua.Server.OnUpdate(func(req *sip.Request, tx sip.ServerTransaction) {
				_ = tx.Respond(sip.NewResponseFromRequest(req, 481, "No such call", nil))
			})
		})},
		{"takes nothing over", "L1", shared(func(r failover.Registry) failover.Registry { return timid{r} })},
		{"announces another node", "S7", shared(nil, failover.WithAddress("127.0.9.9:5060"))},
		{"keeps what was to end", "S3", shared(nil, failover.WithTakeover(failover.Keep))},
		{"answers no BYE", "S7", now(func(n *node) { n.ua.Server.Server.OnBye(func(*sip.Request, sip.ServerTransaction) {}) })},
		{"keeps calls", "L2", now(func(n *node) { n.each(30*time.Minute, n.invent) })},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := make(map[string]int)
			alarm := time.AfterFunc(patience, func() { panic("does not end") })
			defer alarm.Stop()
			for seed := uint64(2); seed <= 9 && found[c.rule] == 0; seed++ {
				inspect(t, c.stack, seed, func(v Violation) { found[v.Rule]++ })
			}
			if found[c.rule] == 0 {
				t.Errorf("found %v, want %s", found, c.rule)
			}
		})
	}
}

// timid has a node take no other one for dead.
type timid struct{ failover.Registry }

func (timid) Bury(context.Context, failover.Node, uint64) (bool, error) { return false, nil }

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

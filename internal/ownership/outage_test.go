package ownership

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

func TestOutageKillsNobody(t *testing.T) {
	for _, outage := range []time.Duration{3 * time.Second, 10 * time.Second, 10 * time.Minute} {
		inLab(t, func(l *lab) {
			nodes := []*labNode{l.node("a"), l.node("b"), l.node("c")}
			for _, n := range nodes {
				n.calls(100)
			}
			l.pass(10 * time.Second)
			for _, n := range nodes {
				n.way.cut()
			}
			l.pass(outage)
			for i, n := range nodes { // not all are back at once
				l.pass(time.Duration(i) * aLease / 4)
				n.way.heal()
			}
			l.pass(time.Minute)
			for _, n := range nodes {
				if len(n.took())+len(n.letGo()) > 0 {
					t.Errorf("after %v: %s has adopted %d and released %d", outage, n.me.Name, len(n.took()), len(n.letGo()))
				}
			}
		})
	}
}

func TestSlowRegistryKillsNobody(t *testing.T) {
	inLab(t, func(l *lab) {
		nodes := []*labNode{l.node("a"), l.node("b"), l.node("c")}
		for range 10 {
			for _, slow := range []time.Duration{2900 * time.Millisecond, 0, 4 * time.Second} {
				for _, n := range nodes {
					n.way.slowBy(slow)
				}
				l.pass(7 * time.Second)
			}
		}
		for _, n := range nodes {
			if got := n.Stats(); got.Kept > 0 || len(n.way.requests("Bury")) > 0 {
				t.Errorf("%s: %+v, buried %v", n.me.Name, got, n.way.requests("Bury"))
			}
		}
	})
}

func TestStuckRegistryKillsNobody(t *testing.T) {
	inLab(t, func(l *lab) {
		nodes := []*labNode{l.node("a"), l.node("b"), l.node("c")}
		for _, stuck := range []time.Duration{time.Second, 2900 * time.Millisecond, 5 * time.Second, 8 * time.Second, 20 * time.Second} {
			l.pass(10 * time.Second)
			for i, n := range nodes {
				n.way.set(func() { n.way.stuck = time.Now().Add(stuck + time.Duration(i)*200*time.Millisecond) })
			}
			l.pass(stuck)
		}
		l.pass(10 * time.Second)
		for _, n := range nodes {
			if buried := n.way.requests("Bury"); len(buried) > 0 {
				t.Errorf("%s has buried %v", n.me.Name, buried)
			}
		}
	})
}

func TestLostClaimOfOneThatLives(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		ids := a.calls(10)
		l.pass(10 * time.Second)
		a.way.cut()
		b.way.set(func() {
			b.way.fail = func(method string) bool {
				if method == "Claim" {
					a.way.heal()
				}
				return method == "Claim"
			}
		})
		l.pass(10 * time.Second)
		b.way.set(func() { b.way.fail = nil })
		l.pass(time.Minute)
		if by := l.ownedBy(ids); by["a"] != 10 || len(b.took()) > 0 || len(a.letGo()) > 0 {
			t.Errorf("owned: %v; %d adopted, %d released", by, len(b.took()), len(a.letGo()))
		}
	})
}

func TestDeathDuringOutage(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		ids := a.calls(10)
		l.pass(10 * time.Second)
		b.way.cut()
		l.pass(5 * time.Second)
		a.stop()
		l.pass(time.Minute)
		b.way.heal()
		l.pass(aLease - time.Millisecond)
		if len(b.took()) > 0 {
			t.Errorf("%d adopted before a lease is over", len(b.took()))
		}
		l.pass(time.Second)
		if by := l.ownedBy(ids); by["b"] != 10 {
			t.Errorf("owned: %v", by)
		}
	})
}

func TestLostAnswers(t *testing.T) {
	for _, c := range []struct {
		name string
		soon bool
		lose func(w *way) func(method string) bool
	}{
		{"the first claim", true, func(*way) func(string) bool {
			lost := false
			return func(m string) bool { was := lost; lost = lost || m == "Claim"; return m == "Claim" && !was }
		}},
		{"every other answer", false, func(*way) func(string) bool {
			n := 0
			return func(m string) bool { n++; return m != "Beat" && n%2 == 0 }
		}},
		{"every third answer", false, func(*way) func(string) bool {
			n := 0
			return func(string) bool { n++; return n%3 == 0 }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				a, b := l.node("a"), l.node("b")
				ids := a.calls(1000)
				l.pass(10 * time.Second)
				a.stop()
				b.way.set(func() { b.way.lose = c.lose(b.way) })
				l.pass(within + time.Second)
				if n := len(b.took()); c.soon && n != 1000 {
					t.Errorf("%d calls adopted by then", n)
				}
				l.pass(30 * time.Second)
				b.way.set(func() { b.way.lose = nil })
				l.pass(30 * time.Second)
				if by := l.ownedBy(ids); by["b"] != 1000 {
					t.Errorf("owned: %v", by)
				}
				names := sorted(b.names())
				if once := slices.Compact(slices.Clone(names)); len(once) != 1000 || len(names) != 1000 {
					t.Errorf("%d calls adopted, %d different ones, want 1000", len(names), len(once))
				}
			})
		})
	}
}

func TestOrphans(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		ids := a.calls(3)
		b.calls(3)
		l.pass(10 * time.Second)
		for _, id := range ids {
			k := []failover.Key{{ID: id, Epoch: 1}}
			if _, err := l.registry.Claim(context.Background(), b.me, a.me, k); err != nil {
				t.Fatal(err)
			}
		}
		b.way.cut()
		l.pass(time.Second)
		b.way.heal()
		l.pass(aLease + time.Second) // b has looked once; the third is on its way out
		if _, err := l.registry.Drop(context.Background(), b.me, []failover.Key{{ID: ids[2], Epoch: 2}}); err != nil {
			t.Fatal(err)
		}
		l.pass(2 * aLease)
		if got := sorted(b.names()); !slices.Equal(got, []string{"a-0", "a-1"}) {
			t.Errorf("adopted %v", got)
		}
		if by := l.ownedBy(ids); by["b"] != 2 || by[""] != 1 {
			t.Errorf("owned: %v", by)
		}
		requests := len(b.way.requests("Owned"))
		l.pass(time.Hour)
		if more := len(b.way.requests("Owned")) - requests; more > 0 {
			t.Errorf("looked %d times more without a reason", more)
		}
	})
}

// A registry that goes back to what it was before calls ended has them again as ours,
// though no beat has failed. They are taken up, and so end once more.
func TestOrphansOfThePast(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		ids := a.calls(2)
		l.pass(10 * time.Second)
		back := l.registry.Snapshot()
		if _, err := a.Delete(context.Background(), ids[0]); err != nil {
			t.Fatal(err)
		}
		l.pass(10 * time.Second)
		back()
		l.pass(3 * aLease)
		if got := a.names(); !slices.Equal(got, []string{"a-0"}) {
			t.Errorf("adopted %v, want the call that has ended", got)
		}
	})
}

package ownership

import (
	"context"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

func TestColdStart(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		ids := a.calls(10)
		l.pass(10 * time.Second)
		a.stop()
		l.at(time.Minute)
		b := l.node("b")
		l.pass(aLease - time.Millisecond)
		if by := l.ownedBy(ids); by["a"] != 10 {
			t.Errorf("owned before a lease is over: %v", by)
		}
		l.pass(time.Second)
		if len(b.took()) != 10 {
			t.Errorf("%d adopted after it", len(b.took()))
		}
	})
}

func TestRestart(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		ids := a.calls(2500)
		l.pass(10 * time.Second)
		a.stop()
		l.pass(2 * time.Second)
		again := l.node("a", failover.WithEligible(func(dialogstore.Dialog) bool { return false }))
		if err := again.Resume(context.Background()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(l.start) - 12*time.Second; took > time.Second {
			t.Errorf("took %v", took)
		}
		if got := again.Stats().Kept; got != 2500 {
			t.Errorf("%d calls taken back", got)
		}
		if how := again.took()[0].How; how != Earlier {
			t.Errorf("taken back from a node that %v", how)
		}
		l.pass(time.Minute)
		if by := l.ownedBy(ids); by["a"] != 2500 || len(b.took()) > 0 {
			t.Errorf("owned: %v", by)
		}
		if again.logs.Count("uses this node's name") > 0 {
			t.Error("an earlier run is taken for a twin")
		}
	})
}

func TestResumeWithoutRegistry(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		ids := a.calls(10)
		l.pass(time.Second)
		a.stop()
		again := l.prepare("a")
		again.way.cut()
		again.Start()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := again.Resume(ctx); err != context.DeadlineExceeded {
			t.Errorf("resumed with %v", err)
		}
		again.way.heal()
		l.pass(time.Second)
		if by := l.ownedBy(ids); by["a"] != 10 || len(again.took()) != 10 {
			t.Errorf("owned: %v, %d adopted", by, len(again.took()))
		}
	})
}

func TestTwins(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		l.pass(time.Second)
		ids := a.calls(10)
		l.pass(time.Second)
		twin := l.node("a")
		l.pass(time.Minute)
		if len(twin.took()) != 10 || len(a.took()) != 0 || len(a.letGo()) != 10 {
			t.Errorf("the twin has adopted %d, the other one %d", len(twin.took()), len(a.took()))
		}
		if by := l.ownedBy(ids); by["a"] != 10 || twin.Len() != 10 || !a.Good() || !twin.Good() {
			t.Errorf("owned: %v; the twin has %d, leases are good: %v and %v", by, twin.Len(), a.Good(), twin.Good())
		}
		if n := a.logs.Count("uses this node's name"); n != 1 {
			t.Errorf("said %d times by the first", n)
		}
	})
}

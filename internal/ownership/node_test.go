package ownership

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// What was stored before Start is written then, and what is waiting when the node is
// closed still is.
func TestStartAndClose(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.prepare("a")
		ids := a.calls(1200)
		l.pass(time.Second)
		if n := len(a.way.requests("Put")); n != 0 {
			t.Errorf("%d writes before Start", n)
		}
		a.Start()
		synctest.Wait()
		if left := a.Close(5 * time.Second); left != 0 {
			t.Errorf("%d goroutines left", left)
		}
		if by := l.ownedBy(ids); by["a"] != 1200 {
			t.Errorf("owned: %v", by)
		}
		a.refresh(ids[0])
		if got := a.Stats().Waiting; got != 0 {
			t.Errorf("%d calls wait to be written after Close", got)
		}
	})
}

// Runs of a node under the same name are different nodes. One that has not started may send, and
// has asked the registry nothing.
func TestNewNode(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.prepare("a"), l.prepare("a")
		if a.me.Name != "a" || a.me.Run == "" || a.me == b.me {
			t.Errorf("two runs are %v and %v", a.me, b.me)
		}
		a.good()
		if l.pass(time.Second); !a.Good() || len(a.way.all()) != 0 || !a.Shared() {
			t.Errorf("before Start it may send: %v, and has asked %v", a.Good(), a.way.all())
		}
		a.good()
		for _, c := range []struct {
			after time.Duration
			good  bool
		}{{aLease - 1, true}, {1, false}} {
			if l.pass(c.after); a.Good() != c.good {
				t.Errorf("its lease is good for another %v: %v", c.after, a.Good())
			}
		}
		select {
		case <-a.resumed:
			t.Error("the calls of earlier runs are ours before anybody looked")
		default:
		}
	})
}

// A pause lasts as long as it is told, or until its context ends. One that is over already still
// says whether that has ended.
func TestPauseOfNode(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ended, end := context.WithCancel(context.Background())
		end()
		for _, c := range []struct {
			name   string
			ctx    context.Context
			d      time.Duration
			whole  bool
			lasted time.Duration
		}{
			{"none", context.Background(), 0, true, 0},
			{"one that is over", context.Background(), -time.Second, true, 0},
			{"none, of a node that has ended", ended, 0, false, 0},
			{"whole", context.Background(), time.Minute, true, time.Minute},
			{"of a node that has ended", ended, time.Minute, false, 0},
		} {
			begun := time.Now()
			if whole := pause(c.ctx, c.d); whole != c.whole || time.Since(begun) != c.lasted {
				t.Errorf("%s: whole %v, after %v", c.name, whole, time.Since(begun))
			}
		}
		soon, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begun := time.Now()
		if pause(soon, time.Minute) || time.Since(begun) != time.Second {
			t.Errorf("of a node that ends meanwhile: it lasted %v", time.Since(begun))
		}
	})
}

// Who is poked again before it looks is woken once, and whoever pokes never waits.
func TestPoke(t *testing.T) {
	c := make(chan struct{}, 1)
	for range 3 {
		poke(c)
	}
	if <-c; len(c) != 0 {
		t.Error("it is woken again")
	}
}

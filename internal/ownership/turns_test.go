package ownership

import (
	"context"
	"testing"
	"time"
)

// The host expects a call before the store has it: no request of the peer gets to an
// application that has no dialog for it.
func TestExpectedBeforeStored(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		a.calls(1)
		l.pass(10 * time.Second)
		a.stop()
		l.pass(within)
		if got, want := b.hostTold(), "expect, adopt stored"; got != want {
			t.Errorf("the host was told %q, want %q", got, want)
		}
	})
}

// A node that lets a call go, and claims it back meanwhile, tells its host of one thing
// after the other.
func TestClaimedBackAmidRelease(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		id := a.calls(1)[0]
		l.pass(10 * time.Second)
		a.way.cut()
		l.pass(10 * time.Second)
		a.slowly = func(*Release) { time.Sleep(20 * time.Second) }
		a.way.set(func() { // it asks for the call before it can see that b has left
			a.way.down = false
			a.way.fail = func(method string) bool { return method == "Beat" }
		})
		go a.MayRefresh(context.Background(), a.Key(id))
		if err := b.Leave(context.Background()); err != nil {
			t.Fatal(err)
		}
		l.pass(5 * time.Second)
		a.way.set(func() { a.way.fail = nil })
		l.pass(time.Minute)
		if o := l.ownership(id); o.Owner.Name != "a" || o.Epoch != 3 {
			t.Errorf("the call is %+v", o)
		}
		if got, want := a.hostTold(), "release, expect, adopt stored"; got != want {
			t.Errorf("the host was told %q, want %q", got, want)
		}
	})
}

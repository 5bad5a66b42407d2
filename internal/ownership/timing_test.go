package ownership

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// good gives a node that was not started a lease and a view of no others.
func (n *labNode) good() {
	n.seen.Store(&view{})
	n.lease.renew(time.Now())
}

// Looks at the calls of a node that has none left are a lease apart, then twice as long, up
// to a minute. After a failure the next one is a beat later.
func TestLooksGetRarer(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		c := &claimer{Node: n.Node}
		e := &estate{gone: gone{Node: failover.Node{Name: "b"}, how: Left}, page: pageSize}
		look := func() time.Duration {
			n.good()
			c.settle(e, c.view())
			return time.Until(e.again)
		}
		for i, want := range []time.Duration{aLease, 2 * aLease, 4 * aLease, 8 * aLease, time.Minute, time.Minute} {
			if got := look(); got != min(want, longestLook) {
				t.Errorf("look %d: the next one is after %v, want %v", i, got, want)
			}
		}
		n.way.cut()
		if got := look(); got != n.cfg.Settings.Beat || !n.trouble.on.Load() {
			t.Errorf("after a failure: the next one is after %v, trouble: %v", got, n.trouble.on.Load())
		}
		n.way.heal()
		e.idle = 1000
		if got := look(); got != longestLook {
			t.Errorf("after 1000 looks: the next one is after %v", got)
		}
		d, v := call("later"), &view{others: []uint64{nameHash("b"), nameHash("c"), nameHash("d")}}
		if _, err := l.registry.Put(context.Background(), e.Node, []failover.Entry{{Epoch: 1, Dialog: d}}); err != nil {
			t.Fatal(err)
		}
		for rank(d.ID, c.mine, v.others) == 0 {
			c.mine++
		}
		e.since = time.Now()
		c.settle(e, v)
		if want := time.Duration(rank(d.ID, c.mine, v.others)) * rankEvery; e.idle != 0 || time.Until(e.again) != want {
			t.Errorf("with a call that is due later: %d idle looks, the next one is after %v; want none and %v", e.idle, time.Until(e.again), want)
		}
		time.Sleep(time.Until(e.again))
		e.idle = 1000
		c.settle(e, v)
		if e.idle != 0 || time.Until(e.again) != 0 {
			t.Errorf("after a claim: %d idle looks, the next one is after %v; want none and at once", e.idle, time.Until(e.again))
		}
		n.lease.suspect.Store(true)
		n.trouble.on.Store(false)
		if c.settle(e, nil); time.Until(e.again) != n.cfg.Settings.Beat || n.trouble.on.Load() {
			t.Errorf("without a lease: the next one is after %v, trouble: %v", time.Until(e.again), n.trouble.on.Load())
		}
	})
}

// Orphans are searched for once trouble is over, and adopted if they are still there a lease
// later. A failure is trouble, and the search goes on a lease later.
func TestSearchForOrphans(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		var o orphans
		d := call("orphan")
		if _, err := l.registry.Put(context.Background(), n.me, []failover.Entry{{Epoch: 1, Dialog: d}}); err != nil {
			t.Fatal(err)
		}
		look := func(name string, asked int, again bool, adopted int) {
			t.Helper()
			before := len(n.way.requests("Owned"))
			next := o.look(n.Node)
			got := len(n.way.requests("Owned")) - before
			if got != asked || again != next.Equal(time.Now().Add(aLease)) || len(n.took()) != adopted {
				t.Errorf("%s: asked %d times, again after %v, %d adopted; want %d, a lease: %v, %d", name, got, time.Until(next), len(n.took()), asked, again, adopted)
			}
		}
		look("no trouble", 0, false, 0)
		n.trouble.over.Add(1)
		n.way.cut()
		look("the registry fails", 1, true, 0)
		if !n.trouble.on.Load() {
			t.Error("that is no trouble")
		}
		n.way.heal()
		l.pass(aLease - 1)
		look("too early", 0, false, 0)
		l.pass(1)
		look("the first look", 1, true, 0)
		l.pass(aLease)
		n.trouble.on.Store(false)
		n.way.set(func() { n.way.fail = func(method string) bool { return method == "Claim" } })
		look("the claim fails", 1, true, 0)
		if !n.trouble.on.Load() {
			t.Error("that is no trouble")
		}
		n.way.set(func() { n.way.fail = nil })
		l.pass(aLease)
		look("still there", 1, true, 1)
		l.pass(aLease)
		look("none is left", 1, false, 1)
		l.pass(aLease)
		look("the end", 0, false, 1)
		if a := n.took()[0]; a.Dialog.ID != d.ID || a.How != Earlier || a.From != n.me || a.After != 0 {
			t.Errorf("adopted %+v", a)
		}
	})
}

// A registry that does not hear of the leave is told again, until the context ends: then it
// may have heard of it.
func TestLeaveUnheard(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		a.calls(1)
		l.pass(time.Second)
		a.way.set(func() { a.way.fail = func(method string) bool { return method == "Leave" } })
		ctx, cancel := context.WithTimeout(context.Background(), 1010*time.Millisecond) // amid a pause
		defer cancel()
		if err := a.Leave(ctx); !errors.Is(err, errDown) || !a.Left() || len(a.way.requests("Leave")) < 2 {
			t.Errorf("left with %v, %v, told %d times; want the error of the registry, told more than once", err, a.Left(), len(a.way.requests("Leave")))
		}
		told := len(a.way.requests("Leave"))
		a.way.set(func() { a.way.fail = nil })
		if err := a.Leave(context.Background()); err != nil || len(a.way.requests("Leave")) != told+1 {
			t.Errorf("left with %v, told %d times more", err, len(a.way.requests("Leave"))-told)
		}
	})
}

// A node that is closed while it leaves does not wait for the registry.
func TestCloseAmidLeave(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		id := a.calls(1)[0]
		l.pass(time.Second)
		a.way.cut()
		a.refresh(id)
		left := make(chan error, 1)
		go func() { left <- a.Leave(context.Background()) }()
		l.pass(10 * time.Second)
		a.stop()
		if err := <-left; !errors.Is(err, ErrClosed) || a.Left() {
			t.Errorf("left with %v, %v", err, a.Left())
		}
		if err := a.Leave(context.Background()); !errors.Is(err, ErrClosed) {
			t.Errorf("left with %v after it was closed", err)
		}
	})
}

// A backlog is written in batches 15 ms apart, and what follows as often as Settings say.
func TestBacklog(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a", failover.WithFlush(100*time.Millisecond))
		ids := n.calls(1001)
		n.Start()
		l.pass(30 * time.Millisecond)
		n.refresh(ids[0])
		l.pass(time.Second)
		got := n.way.requests("Put")
		want := []request{{"Put", 500, 0}, {"Put", 500, 15 * time.Millisecond}, {"Put", 1, 30 * time.Millisecond}, {"Put", 1, 130 * time.Millisecond}}
		if !slices.Equal(got, want) {
			t.Errorf("written %v, want %v", got, want)
		}
	})
}

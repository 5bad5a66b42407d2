package ownership

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// A planned stop: what is not written yet is, and others take the calls at once.
func TestLeave(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b, c := l.node("a"), l.node("b"), l.node("c")
		ids := a.calls(3000)
		l.pass(10 * time.Second)
		for _, id := range ids {
			a.refresh(id)
		}
		begun := time.Now()
		if err := a.Leave(context.Background()); err != nil {
			t.Fatal(err)
		}
		if a.Good() || a.MayRefresh(context.Background(), a.Key(ids[0])) || a.MayHangUp(context.Background(), a.Key(ids[0]), true) {
			t.Error("sends something after it has left")
		}
		a.refresh(ids[0]) // the peer's, say; nobody writes it
		if got := a.Stats().Waiting; got != 0 {
			t.Errorf("%d calls wait to be written", got)
		}
		l.pass(2 * time.Second)
		if by := l.ownedBy(ids); by["b"]+by["c"] != 3000 || by["b"] == 0 || by["c"] == 0 {
			t.Errorf("owned: %v", by)
		}
		for _, n := range []*labNode{b, c} {
			for i, at := range n.tookAt() {
				if a := n.took()[i]; a.How != Left || a.Dialog.LocalCSeq != 1011 {
					t.Fatalf("adopted from a node that %v, with CSeq %d", a.How, a.Dialog.LocalCSeq)
				}
				if took := at - begun.Sub(l.start); took > time.Second {
					t.Fatalf("taken over after %v", took)
				}
			}
		}
		l.pass(time.Minute)
		if len(a.letGo()) > 0 || len(b.way.requests("Bury")) > 0 {
			t.Errorf("released %d, buried %v", len(a.letGo()), b.way.requests("Bury"))
		}
	})
}

// Leave says nothing to others before all is written, and gives up with its context.
func TestLeaveWithoutRegistry(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		ids := a.calls(10)
		l.pass(10 * time.Second)
		a.way.cut()
		a.refresh(ids[0])
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := a.Leave(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("left with %v", err)
		}
		if n := len(a.way.requests("Leave")); n != 0 {
			t.Errorf("said %d times that it leaves though not all is written", n)
		}
		l.pass(aLease + time.Second)
		if len(b.took()) != 10 {
			t.Errorf("%d calls taken over after the lease", len(b.took()))
		}
	})
}

// The registry comes back while a node leaves.
func TestLeaveThroughOutage(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		ids := a.calls(10)
		l.pass(10 * time.Second)
		a.way.cut()
		a.refresh(ids[0])
		time.AfterFunc(5*time.Second, a.way.heal)
		if err := a.Leave(context.Background()); err != nil {
			t.Error(err)
		}
		l.pass(within)
		if len(b.took()) != 10 {
			t.Errorf("%d calls taken over", len(b.took()))
		}
	})
}

// Close hands nothing over: a restart within the lease takes the calls back.
func TestCloseHandsNothingOver(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		ids := a.calls(100)
		l.pass(10 * time.Second)
		a.refresh(ids[0])
		if left := a.Close(5 * time.Second); left > 0 {
			t.Errorf("%d goroutines left", left)
		}
		a.stopped = true
		if a.Good() {
			t.Error("sends something after it was closed")
		}
		l.pass(5 * time.Second)
		if by := l.ownedBy(ids); by["a"] != 100 {
			t.Errorf("owned: %v", by)
		}
		again := l.node("a")
		if err := again.Resume(context.Background()); err != nil || len(again.took()) != 100 {
			t.Errorf("resumed %d, %v", len(again.took()), err)
		}
		if d, err := again.Load(context.Background(), ids[0]); err != nil || d.LocalCSeq != 1011 {
			t.Errorf("CSeq %d, %v; want what was changed last", d.LocalCSeq, err)
		}
		l.pass(time.Minute)
		if len(b.took()) > 0 {
			t.Errorf("%d calls taken over", len(b.took()))
		}
	})
}

// Close waits for nobody longer than it is told, and may be called again.
func TestCloseIsBounded(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		a.calls(10)
		a.way.set(func() { a.way.deaf, a.way.slow = true, 20*time.Second })
		l.pass(time.Second)
		begun := time.Now()
		if left := a.Close(2 * time.Second); left == 0 || time.Since(begun) != 2*time.Second {
			t.Errorf("%d left after %v, want some after 2 s", left, time.Since(begun))
		}
		if left := a.Close(time.Minute); left > 0 {
			t.Errorf("%d left in the end", left)
		}
		a.stopped = true
	})
}

// A node that was never started can be closed.
func TestCloseBeforeStart(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s, err := failover.Configure()
		if err != nil {
			t.Fatal(err)
		}
		n := New(Config{Registry: failover.NewMemory(), Settings: s})
		if err := n.Create(context.Background(), call("one")); err != nil {
			t.Fatal(err)
		}
		if left := n.Close(time.Second); left > 0 {
			t.Errorf("%d goroutines left", left)
		}
		if err := n.Leave(context.Background()); !errors.Is(err, ErrClosed) {
			t.Errorf("left with %v", err)
		}
		if err := n.Resume(context.Background()); !errors.Is(err, ErrClosed) {
			t.Errorf("resumed with %v", err)
		}
	})
}

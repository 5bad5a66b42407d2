package ownership

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// The latest state of a call wins, a batch every 50 ms at most, and a call that is older
// than that is not lost.
func TestLatestStateIsWritten(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		d := call("one")
		a.create(d)
		for range 40 {
			l.pass(10 * time.Millisecond)
			a.refresh(d.ID)
		}
		l.pass(50 * time.Millisecond)
		puts := a.way.requests("Put")
		if len(puts) > 10 {
			t.Errorf("%d writes in 450 ms, want one every 50 ms at most", len(puts))
		}
		for i := 1; i < len(puts); i++ {
			if gap := puts[i].at - puts[i-1].at; gap < 50*time.Millisecond {
				t.Errorf("writes %v apart", gap)
			}
		}
		if e := l.stored(d.ID); e.Dialog.LocalCSeq != 50 || e.Epoch != 1 {
			t.Errorf("stored is CSeq %d in epoch %d, want 50 in epoch 1", e.Dialog.LocalCSeq, e.Epoch)
		}
	})
}

// WithFlush sets how often a call that changes every 10 ms is written.
func TestFlush(t *testing.T) {
	for flush, want := range map[time.Duration]time.Duration{
		time.Millisecond: 10 * time.Millisecond, 200 * time.Millisecond: 200 * time.Millisecond, time.Second: time.Second,
	} {
		inLab(t, func(l *lab) {
			a := l.node("a", failover.WithFlush(flush))
			d := call("one")
			a.create(d)
			l.pass(2 * time.Second)
			before := len(a.way.requests("Put"))
			for range 400 {
				a.refresh(d.ID)
				l.pass(10 * time.Millisecond)
			}
			puts := a.way.requests("Put")[before:]
			if len(puts) < 3 {
				t.Errorf("%d writes in 4 s", len(puts))
			}
			for i := 1; i < len(puts); i++ {
				if gap := puts[i].at - puts[i-1].at; gap != want {
					t.Errorf("writes %v apart, want them %v apart", gap, want)
				}
			}
		})
	}
}

// Nobody waits for the registry, however long it takes, and no more of it is kept than
// that it has to hear of a call.
func TestNobodyWaitsForTheRegistry(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		a.way.slowBy(5 * time.Second)
		ids := a.calls(2000)
		for range 5 {
			for _, id := range ids {
				a.refresh(id)
			}
			l.pass(time.Second)
		}
		for _, id := range ids[:1000] {
			if _, err := a.Delete(context.Background(), id); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(l.start); took != 5*time.Second {
			t.Errorf("what is done in 5 s took %v", took)
		}
		if got := a.Stats().Waiting; got > 2000+batchSize {
			t.Errorf("%d calls are to be written, of 2000", got)
		}
		a.way.slowBy(0)
		l.pass(20 * time.Second)
		if got := a.Stats(); got.Waiting != 0 || got.Owned != 1000 {
			t.Errorf("%+v: want nothing to write of 1000 calls", got)
		}
		if by := l.ownedBy(ids); by["a"] != 1000 || by[""] != 1000 {
			t.Errorf("owned in the registry: %v", by)
		}
	})
}

// A registry that looks at no context costs a bounded number of goroutines.
func TestDeafRegistry(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.prepare("a")
		a.way.set(func() { a.way.deaf, a.way.slow = true, 10*time.Minute })
		a.Start()
		a.calls(10)
		l.pass(9 * time.Minute)
		if got := len(a.way.all()); got != mostAsked {
			t.Errorf("asked %d times at once, want %d: each time that nobody waits any more, and no more", got, mostAsked)
		}
		a.way.slowBy(0)
		l.pass(2 * time.Minute)
		if got := a.Stats(); got.Waiting != 0 || got.Degraded {
			t.Errorf("%+v: want all to be well again", got)
		}
	})
}

// An outage: few tries, one warning and one line when it is over; then all is written at
// a bounded pace.
func TestOutage(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		ids := a.calls(3000)
		l.at(10 * time.Second)
		a.way.cut()
		for i := range 60 {
			for _, id := range ids {
				a.refresh(id)
			}
			a.create(call(fmt.Sprint("short-", i)))
			if _, err := a.Delete(context.Background(), call(fmt.Sprint("short-", i)).ID); err != nil {
				t.Fatal(err)
			}
			l.pass(time.Second)
		}
		before := len(a.way.requests("Put"))
		if got := a.Stats(); !got.Degraded || got.Waiting > 3000+60 || got.LeaseAge < time.Minute {
			t.Errorf("during the outage: %+v", got)
		}
		a.way.heal()
		l.pass(10 * time.Second)
		if got := a.Stats(); got.Degraded || got.Waiting != 0 {
			t.Errorf("after the outage: %+v", got)
		}
		during := 0
		puts := a.way.requests("Put")
		for i, p := range puts {
			if p.at > 10*time.Second && i < before {
				during++
			}
			if p.calls > batchSize {
				t.Errorf("%d calls at once", p.calls)
			}
			if i > before && p.at-puts[i-1].at < backlogEvery {
				t.Errorf("batches %v apart", p.at-puts[i-1].at)
			}
		}
		if during == 0 || during > 50 {
			t.Errorf("%d tries in a minute's outage", during)
		}
		for _, id := range ids {
			if got := l.stored(id).Dialog.LocalCSeq; got != 70 {
				t.Fatalf("stored CSeq %d of %v, want 70", got, id)
			}
		}
		if begin, end := a.logs.Count("registry unreachable"), a.logs.Count("registry reachable again"); begin != 1 || end != 1 {
			t.Errorf("%d warnings and %d lines when it was over, want one of each", begin, end)
		}
	})
}

// A registry that was emptied, or went back to what it was before, gets all calls again,
// at a bounded pace.
func TestLostWrites(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(l *lab) func()
	}{
		{"emptied", func(l *lab) func() { return l.registry.Flush }},
		{"gone back", func(l *lab) func() { return l.registry.Snapshot() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				a := l.node("a")
				l.pass(time.Second)
				lose := c.lose(l)
				ids := a.calls(5000)
				l.pass(5 * time.Second)
				if by := l.ownedBy(ids); by["a"] != 5000 {
					t.Fatalf("owned before: %v", by)
				}
				lose()
				lost := time.Since(l.start)
				l.pass(2 * time.Second)
				if by := l.ownedBy(ids); by["a"] != 5000 {
					t.Errorf("owned after: %v", by)
				}
				last := time.Duration(0)
				for _, p := range a.way.requests("Put") {
					if p.at > lost && last > lost && p.at-last < backlogEvery {
						t.Errorf("batches %v apart", p.at-last)
					}
					last = p.at
				}
				if got := a.logs.Count("the registry has lost data"); got != 1 {
					t.Errorf("said %d times", got)
				}
			})
		})
	}
}

// A call without a timer does not fall out of the registry.
func TestUntimedCallStays(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a", failover.WithLease(time.Minute), failover.WithBeat(20*time.Second))
		d := call("one")
		d.Session.Interval, d.Session.Refresher = 0, 0
		a.create(d)
		l.pass(72 * time.Hour)
		if got := l.owner(d.ID); got != "a" {
			t.Errorf("owned by %q after three days", got)
		}
	})
}

// Our own claim was done though its answer was lost: the registry has a higher epoch, and
// it is ours.
func TestHigherEpochOfOurs(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		id := a.calls(1)[0]
		l.pass(time.Second)
		if _, err := l.registry.Claim(context.Background(), a.me, a.me, []failover.Key{{ID: id, Epoch: 1}}); err != nil {
			t.Fatal(err)
		}
		a.refresh(id)
		l.pass(time.Second)
		if e := l.stored(id); e.Epoch != 2 || e.Dialog.LocalCSeq != 11 || a.Key(id).Epoch != 2 || len(a.letGo()) > 0 {
			t.Errorf("stored CSeq %d in epoch %d, ours in epoch %d, %d released", e.Dialog.LocalCSeq, e.Epoch, a.Key(id).Epoch, len(a.letGo()))
		}
	})
}

// What a refused write that names us as the owner leads to: a later epoch is ours from then
// on, and the call is written in it.
func TestRefusedByOurselves(t *testing.T) {
	for _, c := range []struct {
		name          string
		claimed       uint64
		key, registry uint64 // epochs
		want          uint64
		again         bool
	}{
		{"a later epoch", 0, 1, 3, 3, true},
		{"the same epoch", 0, 1, 1, 1, false},
		{"a later epoch of a claimed call", 2, 2, 3, 3, true},
		{"claimed again meanwhile", 4, 2, 3, 4, false},
	} {
		inLab(t, func(l *lab) {
			n := l.prepare("a")
			id := call("one").ID
			n.hold(id, holding{claimed: c.claimed})
			n.refused(failover.Key{ID: id, Epoch: c.key}, failover.Ownership{Owner: n.me, Epoch: c.registry})
			if _, again := n.marks.all[id]; n.epochOf(id) != c.want || again != c.again {
				t.Errorf("%s: epoch %d, to be written: %v; want %d, %v", c.name, n.epochOf(id), again, c.want, c.again)
			}
		})
	}
}

// One call that cannot be written for a reason that is not its owner fails the batch, so
// that it is written again.
func TestPutFailsForOne(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		ids := n.calls(3)
		errFull := errors.New("disk full")
		n.cfg.Registry = answering{Registry: n.way, put: func(int) []error {
			return []error{nil, &failover.FencedError{ID: ids[1], Ownership: failover.Ownership{Owner: failover.Node{Name: "b"}, Epoch: 2}}, errFull}
		}}
		entries, _ := n.contents([]marked{{id: ids[0]}, {id: ids[1]}, {id: ids[2]}})
		if err := n.put(entries); !errors.Is(err, errFull) || len(n.letGo()) != 1 || n.letGo()[0].Dialog.ID != ids[1] {
			t.Errorf("%v, released %v; want the error of the third and the second released", err, n.letGo())
		}
	})
}

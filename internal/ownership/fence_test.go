package ownership

import (
	"context"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Refreshing fails open, hanging up fails closed: what may be sent, by the lease and, only
// where that is not good, by what the registry has.
func TestMaySend(t *testing.T) {
	other := failover.Node{Name: "b", Run: "1"}
	put := func(l *lab, id dialogstore.ID, owner failover.Node, epoch uint64) {
		d := call(id.CallID)
		if _, err := l.registry.Put(context.Background(), owner, []failover.Entry{{Epoch: epoch, Dialog: d}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name     string
		good     bool // the lease
		before   func(l *lab, a *labNode, id dialogstore.ID)
		refresh  bool
		hangUp   bool
		over     bool // to hang up where the call is over
		asked    bool
		released bool
	}{
		{"a good lease", true, func(l *lab, a *labNode, id dialogstore.ID) { put(l, id, other, 2) }, true, true, true, false, false},
		{"ours", false, func(*lab, *labNode, dialogstore.ID) {}, true, true, true, true, false},
		{"another node's", false, func(l *lab, _ *labNode, id dialogstore.ID) { put(l, id, other, 2) }, false, false, false, true, true},
		{"another node's of the same epoch", false, func(l *lab, _ *labNode, id dialogstore.ID) {
			l.registry.Flush()
			put(l, id, other, 1)
		}, false, false, false, true, true},
		{"ended elsewhere", false, func(l *lab, _ *labNode, id dialogstore.ID) {
			put(l, id, other, 2)
			_, _ = l.registry.Drop(context.Background(), other, []failover.Key{{ID: id, Epoch: 2}})
		}, false, false, false, true, true},
		{"lost", false, func(l *lab, _ *labNode, _ dialogstore.ID) { l.registry.Flush() }, true, true, true, true, false},
		{"no registry", false, func(_ *lab, a *labNode, _ dialogstore.ID) { a.way.cut() }, true, false, true, true, false},
		{"a slow registry", false, func(_ *lab, a *labNode, _ dialogstore.ID) { a.way.slowBy(time.Second) }, true, false, true, true, false},
	} {
		for _, may := range []struct {
			what string
			want bool
			ask  func(a *labNode, k failover.Key) bool
		}{
			{"refresh", c.refresh, func(a *labNode, k failover.Key) bool { return a.MayRefresh(context.Background(), k) }},
			{"hang up", c.hangUp, func(a *labNode, k failover.Key) bool { return a.MayHangUp(context.Background(), k, false) }},
			{"hang up what is over", c.over, func(a *labNode, k failover.Key) bool { return a.MayHangUp(context.Background(), k, true) }},
		} {
			t.Run(c.name+", "+may.what, func(t *testing.T) {
				inLab(t, func(l *lab) {
					a := l.node("a")
					id := a.calls(1)[0]
					l.pass(time.Second)
					a.lease.suspect.Store(!c.good)
					c.before(l, a, id)
					begun := time.Now()
					if got := may.ask(a, a.Key(id)); got != may.want {
						t.Errorf("may: %v, want %v", got, may.want)
					}
					if took := time.Since(begun); took > confirmWithin {
						t.Errorf("took %v", took)
					}
					if asked := len(a.way.requests("Owner")) > 0; asked != c.asked {
						t.Errorf("the registry is asked: %v, should be %v", asked, c.asked)
					}
					if got := len(a.letGo()) == 1 && a.Len() == 0; got != c.released {
						t.Errorf("released: %v, should be %v", got, c.released)
					}
					if want := map[bool]uint64{true: 1}[c.released]; a.Stats().Fenced[ByLease] != want {
						t.Errorf("%+v", a.Stats())
					}
				})
			})
		}
	}
}

// A registry that has just not answered keeps no second request waiting, and is asked
// again once it answers a beat.
func TestSilentRegistryIsAskedOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		ids := a.calls(100)
		l.pass(time.Second)
		a.way.slowBy(time.Hour)
		l.pass(10 * time.Second)
		begun := time.Now()
		for _, id := range ids {
			if !a.MayRefresh(context.Background(), a.Key(id)) {
				t.Error("a refresh does not go out though nobody can take the call over")
			}
		}
		if took := time.Since(begun); took != confirmWithin || len(a.way.requests("Owner")) != 1 {
			t.Errorf("asked %d times, for %v; want once, for 200 ms", len(a.way.requests("Owner")), took)
		}
		a.way.slowBy(0)
		l.pass(10 * time.Second)
		a.lease.suspect.Store(true)
		if !a.MayRefresh(context.Background(), a.Key(ids[0])) || len(a.way.requests("Owner")) != 2 {
			t.Error("not asked again")
		}
	})
}

// The key of a call serves its BYE, which leaves when the dialog is deleted.
func TestKeyOutlivesTheDialog(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		id := a.calls(1)[0]
		l.pass(time.Second)
		k := a.Key(id)
		if _, err := a.Delete(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		l.pass(time.Second)
		a.lease.suspect.Store(true)
		if !a.MayHangUp(context.Background(), k, false) {
			t.Error("what we have ended ourselves is taken for another node's")
		}
	})
}

// 500 to a refresh means: ask who owns this. A call of ours that was taken over jumps
// once; one that began here does not.
func TestRefused(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		taken := a.calls(2)
		own := b.calls(1)[0]
		l.pass(10 * time.Second)
		a.stop()
		l.pass(10 * time.Second)
		ctx := context.Background()
		for _, c := range []struct {
			what string
			id   dialogstore.ID
			jump bool
		}{{"taken over", taken[0], true}, {"again", taken[0], false}, {"another one", taken[1], true}, {"our own", own, false}} {
			if a, jump := b.Refused(ctx, b.Key(c.id)); a != Mine || jump != c.jump {
				t.Errorf("%s: %v, jump %v; want mine, jump %v", c.what, a, jump, c.jump)
			}
		}
		if _, err := l.registry.Put(ctx, failover.Node{Name: "c"}, []failover.Entry{{Epoch: 3, Dialog: call("a-0")}}); err != nil {
			t.Fatal(err)
		}
		if a, jump := b.Refused(ctx, b.Key(taken[0])); a != NotMine || jump {
			t.Errorf("another node's: %v, jump %v", a, jump)
		}
		if got := b.Stats().Fenced[ByPeer]; got != 1 || len(b.letGo()) != 1 || b.letGo()[0].To.Name != "c" {
			t.Errorf("%d fenced by the peer, released %v", got, b.letGo())
		}
		b.way.cut()
		if a, jump := b.Refused(ctx, b.Key(taken[1])); a != Silent || jump {
			t.Errorf("no registry: %v, jump %v", a, jump)
		}
	})
}

// Looking at the lease costs nothing: it is done for each request of ours.
func TestGoodAllocatesNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		id := a.calls(1)[0]
		l.pass(time.Second)
		k := a.Key(id)
		if got := testing.AllocsPerRun(100, func() { _ = a.MayRefresh(context.Background(), k) }); got != 0 {
			t.Errorf("%v allocations", got)
		}
	})
}

// Whether the registry has a call that this node does not, and whether that is sure.
func TestElsewhere(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		there, ended := a.calls(2)[0], dialogstore.ID{CallID: "a-1", LocalTag: "l", RemoteTag: "r"}
		l.pass(time.Second)
		if _, err := a.Delete(context.Background(), ended); err != nil {
			t.Fatal(err)
		}
		l.pass(time.Second)
		want := func(name string, id dialogstore.ID, is, sure bool, asked int) {
			t.Helper()
			before := len(b.way.requests("Owner"))
			gotIs, gotSure := b.Elsewhere(context.Background(), id)
			if n := len(b.way.requests("Owner")) - before; gotIs != is || gotSure != sure || n != asked {
				t.Errorf("%s: %v, sure %v, asked %d times; want %v, %v, %d", name, gotIs, gotSure, n, is, sure, asked)
			}
		}
		want("another node's", there, true, true, 1)
		want("ended", ended, false, true, 1)
		want("nobody's", call("none").ID, false, true, 1)
		b.way.cut()
		want("no registry", there, false, false, 1)
		b.MayRefresh(context.Background(), failover.Key{ID: there, Epoch: 1}) // the lease is good
		b.lease.suspect.Store(true)
		b.MayRefresh(context.Background(), failover.Key{ID: there, Epoch: 1})
		want("just after no answer", there, false, false, 0)
		l.pass(silentFor)
		want("a second later", there, false, false, 1)
	})
}

// After no answer the registry is asked about a single call again a second later.
func TestSilenceLastsASecond(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		n.way.cut()
		for _, c := range []struct {
			after time.Duration // the first question
			asked int
		}{{0, 1}, {time.Second - 1, 1}, {time.Second, 2}} {
			l.at(c.after)
			n.confirm(context.Background(), failover.Key{Epoch: 1}, ByLease)
			if got := len(n.way.requests("Owner")); got != c.asked {
				t.Errorf("after %v it was asked %d times, want %d", c.after, got, c.asked)
			}
		}
	})
}

// A request that is given up says nothing about the registry: the next one asks again.
func TestGivenUpQuestion(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.node("a")
		id := n.calls(1)[0]
		l.pass(time.Second)
		n.lease.suspect.Store(true)
		n.way.slowBy(100 * time.Millisecond)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Millisecond, cancel)
		if got := n.confirm(ctx, n.Key(id), ByLease); got != Silent {
			t.Errorf("a question that was given up is answered with %v", got)
		}
		if got := n.confirm(context.Background(), n.Key(id), ByLease); got != Mine {
			t.Errorf("the next question is answered with %v", got)
		}
	})
}

// Whether a call is ours, by what the registry has and the epoch in which we own it.
func TestIsMine(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		other, none := failover.Node{Name: "b"}, failover.Node{}
		for _, c := range []struct {
			owner failover.Node
			epoch uint64
			want  bool
		}{
			{other, 1, true}, {none, 0, true}, {n.me, 2, true}, {n.me, 3, true}, {none, 2, true}, {other, 2, false}, {other, 3, false}, {none, 3, false},
		} {
			if got := n.isMine(failover.Key{Epoch: 2}, failover.Ownership{Owner: c.owner, Epoch: c.epoch}); got != c.want {
				t.Errorf("owned by %q in epoch %d, and by us in epoch 2: ours is %v", c.owner.Name, c.epoch, got)
			}
		}
	})
}

// A 500 in a call that has ended meanwhile leaves nothing behind.
func TestRefusedInEndedCall(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.node("a")
		id := n.calls(1)[0]
		l.pass(time.Second)
		k := n.Key(id)
		if _, err := n.Delete(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		n.way.cut()
		if a, jump := n.Refused(context.Background(), k); a != Silent || jump || n.exceptions() != 0 || n.doubts(id) {
			t.Errorf("%v, jump %v, %d holdings left", a, jump, n.exceptions())
		}
	})
}

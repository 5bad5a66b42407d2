package ownership

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

const aLease = failover.DefaultLease

// within is when a takeover begins at the latest after a death.
const within = aLease + time.Second

// The calls of a node that dies go to the others, each to one, about alike, those that
// expire first before the others, and within the lease and a second.
func TestDeath(t *testing.T) {
	for _, phase := range []time.Duration{0, time.Millisecond, 130 * time.Millisecond, 250 * time.Millisecond, 499 * time.Millisecond} {
		inLab(t, func(l *lab) {
			a, b := l.node("a"), l.node("b")
			l.pass(phase)
			c, d := l.node("c"), l.node("d")
			ids, others := a.calls(3000), d.calls(100)
			l.at(20*time.Second + phase)
			a.stop()
			died := time.Since(l.start)
			l.pass(within + time.Second)
			by := l.ownedBy(ids)
			if by["b"]+by["c"]+by["d"] != 3000 || by["b"] < 800 || by["c"] < 800 || by["d"] < 800 {
				t.Errorf("owned: %v, want about 1000 each", by)
			}
			if by := l.ownedBy(others); by["d"] != 100 {
				t.Errorf("of a node that lives, owned: %v", by)
			}
			all := 0
			for _, n := range []*labNode{b, c, d} {
				all += len(n.took())
				for i, at := range n.tookAt() {
					if at-died < aLease-time.Second || at-died > within {
						t.Fatalf("taken over %v after the death, want a lease, and %v at most", at-died, within)
					}
					if a := n.took()[i]; a.From.Name != "a" || a.How != Died {
						t.Fatalf("taken over from %v, which %v", a.From, a.How)
					}
				}
				checkUrgentFirst(t, n)
				if got := n.Stats(); got.Kept != uint64(len(n.took())) || got.Slowest > within || got.Nodes != 3 {
					t.Errorf("%s: %+v", n.me.Name, got)
				}
			}
			if all != 3000 {
				t.Errorf("%d calls adopted, want 3000", all)
			}
		})
	}
}

// checkUrgentFirst: several are adopted at a time, so that they may overtake each other
// within a batch.
func checkUrgentFirst(t *testing.T, n *labNode) {
	t.Helper()
	for i := claimBatch; i < len(n.took()); i++ {
		if early, late := n.took()[i-claimBatch].Dialog.Session, n.took()[i].Dialog.Session; late.Since.Before(early.Since) {
			t.Fatalf("%s adopts a call that expires at %v before one of %v", n.me.Name, early.ExpiresAt(), late.ExpiresAt())
		}
	}
}

// The dead node is buried before anything of it is claimed, and batches are bounded.
func TestBuriedBeforeClaimed(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		a.calls(1000)
		l.pass(10 * time.Second)
		a.stop()
		l.pass(10 * time.Second)
		buried, claims := false, 0
		for _, r := range b.way.all() {
			switch r.method {
			case "Bury":
				buried = true
			case "Claim":
				if !buried {
					t.Error("claimed without a burial just before")
				}
				if r.calls > claimBatch {
					t.Errorf("%d calls claimed at once", r.calls)
				}
				buried = false
				claims++
			}
		}
		if claims != 5 {
			t.Errorf("%d claims of 1000 calls, want 5", claims)
		}
	})
}

// A call that was taken over: the CSeq is a thousand higher, its session goes on, and
// what is stored says so.
func TestAdopted(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		d := call("one")
		a.create(d)
		l.pass(20 * time.Second)
		a.stop()
		l.pass(10 * time.Second)
		if len(b.took()) != 1 {
			t.Fatalf("%d calls adopted", len(b.took()))
		}
		got := b.took()[0]
		if n := got.Dialog.LocalCSeq; n != 1010 {
			t.Errorf("CSeq %d, want 1010", n)
		}
		if s := got.Dialog.Session; s.Since.Sub(d.Session.Since).Abs() > time.Millisecond || s.Interval != d.Session.Interval {
			t.Errorf("the session began %v after what it did", s.Since.Sub(d.Session.Since))
		}
		if e := l.stored(d.ID); e.Epoch != 2 || e.Dialog.LocalCSeq != 1010 {
			t.Errorf("stored in epoch %d with CSeq %d, want 2 and 1010", e.Epoch, e.Dialog.LocalCSeq)
		}
		if mine, err := b.Load(context.Background(), d.ID); err != nil || mine.Version != 2 || mine.LocalCSeq != 1010 {
			t.Errorf("in memory %+v, %v", mine, err)
		}
		if k := b.Key(d.ID); k.Epoch != 2 {
			t.Errorf("ours in epoch %d, want 2", k.Epoch)
		}
		if change := got.Change(); !change.Created() {
			t.Error("no new dialog for observers")
		}
		if _, err := b.Delete(context.Background(), d.ID); err != nil {
			t.Fatal(err)
		}
		l.pass(time.Second)
		if o := l.ownership(d.ID); o != (failover.Ownership{Epoch: 2}) || b.exceptions() != 0 {
			t.Errorf("once it has ended it is %+v, and %d entries are kept", o, b.exceptions())
		}
	})
}

func TestJump(t *testing.T) {
	for _, c := range []struct{ cseq, by, want uint32 }{
		{10, AfterTakeover, 1010}, {10, AfterRefusal, 65546}, {highestCSeq - 1, AfterTakeover, highestCSeq},
		{highestCSeq + 5, AfterTakeover, highestCSeq + 5}, {1<<31 - 1, AfterRefusal, 1<<31 - 1},
	} {
		if got := Jump(c.cseq, c.by); got != c.want {
			t.Errorf("%d by %d: %d, want %d", c.cseq, c.by, got, c.want)
		}
	}
}

// A takeover means what the application decides; what it does wrong ends no call.
func TestDecision(t *testing.T) {
	inLab(t, func(l *lab) {
		decide := func(d dialogstore.Dialog) failover.Decision {
			switch d.CallID {
			case "a-0":
				return failover.Decision{End: true, SDP: []byte("ignored")}
			case "a-1":
				return failover.Decision{Contact: "<sip:us@192.0.2.2>", SDP: []byte("v=1")}
			case "a-2":
				panic("a mistake")
			}
			return failover.Decision{}
		}
		a, b := l.node("a"), l.node("b", failover.WithTakeover(decide))
		a.calls(4)
		l.pass(10 * time.Second)
		a.stop()
		l.pass(10 * time.Second)
		got := make(map[string]string)
		for _, a := range b.took() {
			got[a.Dialog.CallID] = fmt.Sprint(a.Decision.End, a.Dialog.Contact, string(a.Dialog.SDP), a.Dialog.SDPType)
		}
		same := "false<sip:us@192.0.2.1>v=0application/sdp"
		want := map[string]string{"a-0": strings.Replace(same, "false", "true", 1), "a-1": "false<sip:us@192.0.2.2>v=1application/sdp", "a-2": same, "a-3": same}
		for id := range want {
			if got[id] != want[id] {
				t.Errorf("%s: %q, want %q", id, got[id], want[id])
			}
		}
		if s := b.Stats(); s.Ended != 1 || s.Kept != 3 {
			t.Errorf("%+v", s)
		}
		if b.logs.count("panic in a takeover") != 1 {
			t.Error("the panic is not logged once")
		}
	})
}

// A row that could make a request say what nobody said is left out, and removed; one
// without a policy gets ours.
func TestRowsOfStrangers(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		bad, odd := call("bad"), call("odd")
		bad.RemoteTarget = "sip:peer@192.0.2.7\r\nX-Injected: 1"
		odd.Policy.MinSE = 1
		a.create(bad)
		a.create(odd)
		l.pass(10 * time.Second)
		a.stop()
		l.pass(10 * time.Second)
		if names := b.names(); !slices.Equal(names, []string{"odd"}) {
			t.Fatalf("adopted %v", names)
		}
		if p := b.took()[0].Dialog.Policy; p != b.cfg.Policy {
			t.Errorf("policy %+v", p)
		}
		if got := l.owner(bad.ID); got != "" || b.Stats().Refused != 1 {
			t.Errorf("the bad row is owned by %q, %d refused", got, b.Stats().Refused)
		}
	})
}

// A node that starts watches the others for a lease before it takes anything.
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

// After an outage of the registry each count looks old. Nobody takes anything.
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
				l.pass(time.Duration(i) * aLease / 3)
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

// A registry that stands still for less than what an answer may take kills nobody: the
// beats of all are in it when it goes on.
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

// A node that died during an outage is missed a lease after it is over.
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

// Whoever comes first in the order of a call and cannot take it leaves it to the next
// one, a second later.
func TestRankIsWaitedFor(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		b, c := l.node("b"), l.node("c", failover.WithEligible(func(d dialogstore.Dialog) bool { return d.CallID == "a-7" }))
		ids := a.calls(100)
		l.pass(10 * time.Second)
		a.stop()
		died := time.Since(l.start)
		l.pass(within + rankEvery)
		if by := l.ownedBy(ids); by["b"]+by["c"] != 100 || by["c"] > 1 {
			t.Errorf("owned: %v", by)
		}
		first, second := 0, 0
		for i, at := range b.tookAt() {
			switch r := rank(b.took()[i].Dialog.ID, nameHash("b"), []uint64{nameHash("c")}); {
			case r == 0 && at-died <= within:
				first++
			case r == 1 && at-died > aLease-time.Second+rankEvery && at-died <= within+rankEvery:
				second++
			default:
				t.Errorf("rank %d after %v", r, at-died)
			}
		}
		if first < 30 || second < 30 {
			t.Errorf("%d of the first rank, %d of the second", first, second)
		}
		if len(c.letGo()) > 0 {
			t.Errorf("%d released", len(c.letGo()))
		}
	})
}

// A page full of calls that this node may not serve does not hide those that it may.
func TestEligibleBehindOthers(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		b := l.node("b", failover.WithEligible(func(d dialogstore.Dialog) bool { return d.CallID == "a-2999" }))
		a.calls(3000)
		l.pass(10 * time.Second)
		a.stop()
		l.pass(2 * time.Minute)
		if got := b.names(); !slices.Equal(got, []string{"a-2999"}) {
			t.Errorf("adopted %v", got)
		}
	})
}

// A restart under the same name takes its own calls back at once; others do not get them.
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
		if again.logs.count("has the name of this node") > 0 {
			t.Error("an earlier run is taken for a twin")
		}
	})
}

// Resume waits for the registry, but not longer than its context; the calls are taken
// back when it is there.
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

// Two processes of one name are a mistake. It is said once, and they do not take each
// other's calls for ever.
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
		if n := a.logs.count("has the name of this node"); n != 1 {
			t.Errorf("said %d times by the first", n)
		}
	})
}

// The answer to a claim is lost: what was done counts, what was not is done, each once.
func TestLostAnswers(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(w *way) func(method string) bool
	}{
		{"the first claim", func(*way) func(string) bool {
			lost := false
			return func(m string) bool { was := lost; lost = lost || m == "Claim"; return m == "Claim" && !was }
		}},
		{"every other answer", func(*way) func(string) bool {
			n := 0
			return func(m string) bool { n++; return m != "Beat" && n%2 == 0 }
		}},
		{"every third answer", func(*way) func(string) bool {
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

// A claim that is done long after its answer was given up leaves a call of ours that we
// do not know. It is found.
func TestOrphans(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		ids := a.calls(3)
		b.calls(3)
		l.pass(10 * time.Second)
		for _, id := range ids[:2] {
			k := []failover.Key{{ID: id, Epoch: 1}}
			if _, err := l.registry.Claim(context.Background(), b.me, a.me, k); err != nil {
				t.Fatal(err)
			}
		}
		b.way.cut()
		l.pass(time.Second)
		b.way.heal()
		l.pass(3 * aLease)
		if got := sorted(b.names()); !slices.Equal(got, []string{"a-0", "a-1"}) {
			t.Errorf("adopted %v", got)
		}
		if by := l.ownedBy(ids); by["b"] != 2 || by["a"] != 1 {
			t.Errorf("owned: %v", by)
		}
		requests := len(b.way.requests("Owned"))
		l.pass(time.Hour)
		if more := len(b.way.requests("Owned")) - requests; more > 0 {
			t.Errorf("looked %d times more without a reason", more)
		}
	})
}

// A node that was cut off is taken for dead. When it is back it lets go in silence what
// others have claimed, and what it has changed meanwhile is not written.
func TestCutOff(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		ids := a.calls(1000)
		l.pass(10 * time.Second)
		a.way.cut()
		l.pass(20 * time.Second)
		for _, id := range ids {
			a.refresh(id)
		}
		if a.Good() {
			t.Error("the lease is good though others have claimed everything")
		}
		a.way.heal()
		l.pass(time.Minute)
		if by := l.ownedBy(ids); by["b"] != 1000 {
			t.Errorf("owned: %v", by)
		}
		if got := a.Stats(); len(a.letGo()) != 1000 || got.Owned != 0 || got.Fenced[ByRegistry] != 1000 || got.Waiting != 0 || a.exceptions() != 0 {
			t.Errorf("%d released; %+v", len(a.letGo()), got)
		}
		if r := a.letGo()[0]; r.To.Name != "b" || r.Epoch != 2 {
			t.Errorf("released to %v in epoch %d", r.To, r.Epoch)
		}
		if len(b.letGo()) > 0 || !a.Good() {
			t.Errorf("the taker has released %d, the lease of the other one is good: %v", len(b.letGo()), a.Good())
		}
		for _, a := range b.took() {
			if a.Dialog.LocalCSeq != 1010 {
				t.Fatalf("CSeq %d", a.Dialog.LocalCSeq)
			}
		}
	})
}

// One that comes back while its calls are being claimed keeps those that are not, and
// its lease is not good before it knows which those are.
func TestBackAmidClaims(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		b := l.node("b")
		ids := a.calls(2000)
		l.pass(10 * time.Second)
		a.way.cut()
		claims := 0
		b.way.set(func() {
			b.way.watch = func(method string, _ int) {
				if method != "Claim" {
					return
				}
				if claims++; claims == 3 {
					a.way.heal()
				}
				time.Sleep(300 * time.Millisecond)
			}
		})
		suspected := false
		for range 100 {
			l.pass(100 * time.Millisecond)
			suspected = suspected || a.lease.suspect.Load()
			if a.Good() && a.Stats().Owned > l.ownedBy(ids)["a"] {
				t.Fatalf("the lease is good with %d calls, of which %v", a.Stats().Owned, l.ownedBy(ids))
			}
		}
		l.pass(time.Minute)
		by := l.ownedBy(ids)
		if by["b"] < 3*claimBatch || by["a"] == 0 || by["a"]+by["b"] != 2000 || a.Len() != by["a"] || b.Len() != by["b"] || !suspected || !a.Good() {
			t.Errorf("owned: %v; in memory %d and %d; suspected: %v, good in the end: %v", by, a.Len(), b.Len(), suspected, a.Good())
		}
	})
}

// Calls go on when their taker dies too, in the third epoch, and when the first owner
// gets them back before it has noticed that it lost them.
func TestThereAndBack(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		b := l.node("b")
		ids := a.calls(10)
		l.pass(10 * time.Second)
		a.way.cut()
		l.pass(10 * time.Second)
		if len(b.took()) != 10 {
			t.Fatalf("%d adopted", len(b.took()))
		}
		b.refresh(ids[0])
		l.pass(time.Second)
		b.stop()
		a.way.heal()
		l.pass(30 * time.Second)
		for _, id := range ids {
			if o := l.ownership(id); o.Owner.Name != "a" || o.Epoch != 3 {
				t.Errorf("%v is %+v", id, o)
			}
			d, err := a.Load(context.Background(), id)
			want := uint32(2010)
			if id == ids[0] {
				want++
			}
			if err != nil || d.LocalCSeq != want {
				t.Errorf("CSeq %d of %v, want %d (%v)", d.LocalCSeq, id, want, err)
			}
		}
	})
}

package ownership

import (
	"slices"
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
// A takeover means what the application decides; what it does wrong ends no call.
// A row that could make a request say what nobody said is left out, and removed; one
// without a policy gets ours.
// A node that starts watches the others for a lease before it takes anything.
// After an outage of the registry each count looks old. Nobody takes anything.
// A registry that stands still for less than what an answer may take kills nobody: the
// beats of all are in it when it goes on.
// Nor does one that stands still for long, and does what it was asked when it goes on:
// of one node a little later than of another.
// Nodes that beat seldom miss each other as soon: when the lease may be over they look.
func TestSeldomBeats(t *testing.T) {
	inLab(t, func(l *lab) {
		seldom := failover.WithBeat(1700 * time.Millisecond)
		a := l.node("a", seldom)
		l.pass(time.Second)
		b := l.node("b", seldom)
		a.calls(1)
		l.at(20401 * time.Millisecond) // a has just beaten
		a.stop()
		l.pass(time.Minute)
		if at := b.tookAt(); len(at) != 1 || at[0] != 27400*time.Millisecond {
			t.Errorf("taken over at %v, want a lease after the look at 21.4 s", at)
		}
	})
}

// A node whose own beats fail may itself be taken for dead: it claims no more than its
// lease allows.
func TestClaimsEndWithTheLease(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		a.calls(10 * claimBatch)
		l.pass(10 * time.Second)
		b.way.set(func() {
			failing := false
			b.way.fail = func(method string) bool {
				failing = failing || method == "Claim"
				return failing && method == "Beat"
			}
			b.way.watch = func(method string, _ int) {
				if method == "Claim" {
					time.Sleep(time.Second)
				}
			}
		})
		a.stop()
		l.pass(time.Minute)
		if claims := b.way.requests("Claim"); len(claims) < 3 || len(claims) > 7 {
			t.Errorf("%d claims, want those of 6 s", len(claims))
		}
	})
}

// A claim got lost, and the node of which it was lives after all: it is not repeated.
// A node that died during an outage is missed a lease after it is over.
// Whoever comes first in the order of a call and cannot take it leaves it to the next
// one, a second later.
func TestRankIsWaitedFor(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		b, c := l.node("b"), l.node("c", failover.WithEligible(func(d dialogstore.Dialog) bool { return d.CallID == "a-7" }))
		ids := a.calls(3000)
		l.pass(10 * time.Second)
		a.stop()
		l.pass(within + rankEvery)
		if by := l.ownedBy(ids); by["b"]+by["c"] != 3000 || by["c"] > 1 {
			t.Errorf("owned: %v", by)
		}
		first, second := 0, 0
		took, at := b.took(), b.tookAt()
		for i := range took {
			switch r, after := rank(took[i].Dialog.ID, nameHash("b"), []uint64{nameHash("c")}), at[i]-at[0]; {
			case r == 0 && after < rankEvery/2:
				first++
			case r == 1 && after >= rankEvery && after < rankEvery*3/2:
				second++
			default:
				t.Fatalf("rank %d, %v after the first", r, after)
			}
		}
		if first < 1200 || second < 1200 {
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
// Resume waits for the registry, but not longer than its context; the calls are taken
// back when it is there.
// Two processes of one name are a mistake. It is said once, and they do not take each
// other's calls for ever.
// The answer to a claim is lost: what was done counts, what was not is done, each once.
// A claim that is done long after its answer was given up leaves a call of ours that we
// do not know. It is found.
// A node that was cut off is taken for dead. When it is back it lets go in silence what
// others have claimed, and what it has changed meanwhile is not written.
// One that comes back while its calls are being claimed keeps those that are not, and
// its lease is not good before it knows which those are.
// Calls go on when their taker dies too, in the third epoch.
// A call that is claimed while it is in memory, since nobody has noticed that it was not
// ours: what the registry has counts, but no number is used twice.
// A late refusal of a former epoch releases nothing.
// A call that the registry lists and cannot give is not asked for without a pause, and
// keeps no other one waiting.

// Estates are opened and closed as nodes go and come back. One with claims whose result is
// unknown stays until they are settled.
func TestEnter(t *testing.T) {
	a, b := failover.Node{Name: "a"}, failover.Node{Name: "b"}
	since := time.Now()
	c := &claimer{estates: make(map[failover.Node]*estate)}
	c.enter(&view{gone: []gone{{Node: a, count: 1, since: since}, {Node: b, count: 1, since: since}}})
	if len(c.estates) != 2 || c.estates[a].page != pageSize || c.estates[a].closed {
		t.Fatalf("%d estates, of a: %+v; want one of each node", len(c.estates), c.estates[a])
	}
	for _, e := range c.estates {
		e.idle, e.again, e.page = 3, since.Add(time.Minute), 2*pageSize
	}
	c.enter(&view{gone: []gone{{Node: a, count: 2, since: since}, {Node: b, count: 1, since: since.Add(1)}}})
	if e := c.estates[a]; e.idle != 3 || e.again.IsZero() || e.count != 2 {
		t.Errorf("of one that is still gone: %+v, want it as it was, with the new count", e)
	}
	if e := c.estates[b]; e.idle != 0 || !e.again.IsZero() || !e.since.Equal(since.Add(1)) || e.page != 2*pageSize {
		t.Errorf("of one that is gone again: %+v, want it looked at now", e)
	}
	c.estates[b].unsure = []failover.Key{{Epoch: 1}}
	if c.enter(&view{}); len(c.estates) != 1 || !c.estates[b].closed {
		t.Errorf("%d estates of nodes that are back, want the one with an open question", len(c.estates))
	}
	c.estates[b].unsure = nil
	if c.enter(&view{}); len(c.estates) != 0 {
		t.Errorf("%d estates of nodes that are back, want none", len(c.estates))
	}
}

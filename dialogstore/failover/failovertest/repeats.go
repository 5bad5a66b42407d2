package failovertest

import (
	"errors"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// repeats checks requests that are carried out but repeated, because the reply was lost.
var repeats = []check{
	{"beat again", "A node learns of its burial even if the reply to the first beat after it is lost.", beatAgain},
	{"leave again", "A repeated Leave changes nothing.", leaveAgain},
	{"bury again, reply lost", "A repeated Bury returns true again, and is not counted twice.", buryLost},
	{"put again", "A repeated Put changes nothing and is not an error, even if a newer one came in between.", putAgain},
	{"drop again, reply lost", "A repeated Drop is not an error.", dropLost},
	{"claim again", "A repeated Claim returns the call again, with the same epoch and its latest state.", claimAgain},
	{"claim again, too late", "A repeated Claim is fenced if another node has claimed the call meanwhile, or it has ended.", claimTooLate},
	{"batch again", "Repeating a batch that was carried out in part completes it.", batchAgain},
}

// losing returns r with the next reply lost.
func losing(r failover.Registry) *Faulty {
	way, lost := NewFaulty(r), false
	way.Set(func(string) Fault {
		defer func() { lost = true }()
		return Fault{Lost: !lost}
	})
	return way
}

// wantLost checks that err is the error of a lost reply.
func wantLost(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, ErrFault) {
		t.Fatalf("a call fails with %v, before its reply could be lost", err)
	}
}

func beatAgain(t testing.TB, r failover.Registry) {
	bury(t, r, alice, seen(t, beat(t, r, alice), alice).Count, true)
	way := losing(r)
	_, err := way.Beat(t.Context(), alice)
	wantLost(t, err)
	if got := beat(t, way, alice).Buried; got != 1 {
		t.Errorf("the beat after one whose reply was lost says that the node was buried %d times, want once", got)
	}
}

func leaveAgain(t testing.TB, r failover.Registry) {
	beat(t, r, alice)
	way := losing(r)
	wantLost(t, way.Leave(t.Context(), alice))
	leave(t, way, alice)
	wantSeen(t, beat(t, r, bob), failover.Beating{Node: alice, Left: true})
}

func buryLost(t testing.TB, r failover.Registry) {
	count := seen(t, beat(t, r, alice), alice).Count
	way := losing(r)
	_, err := way.Bury(t.Context(), alice, count)
	wantLost(t, err)
	bury(t, way, alice, count, true)
	if got := beat(t, r, alice).Buried; got != 1 {
		t.Errorf("a node that was buried once, by a Bury that was repeated, is told of %d burials, want 1", got)
	}
}

func putAgain(t testing.TB, r failover.Registry) {
	way, first := losing(r), entry("call", 1, 1)
	_, err := way.Put(t.Context(), alice, []failover.Entry{first})
	wantLost(t, err)
	mustPut(t, way, alice, first)
	mustPut(t, way, alice, entry("call", 1, 2))
	mustPut(t, way, alice, first)
	wantOwned(t, r, alice, key("call", 1))
	wantStored(t, r, alice, entry("call", 1, 2))
}

func dropLost(t testing.TB, r failover.Registry) {
	way := losing(r)
	mustPut(t, r, alice, entry("call", 1, 1))
	_, err := way.Drop(t.Context(), alice, []failover.Key{key("call", 1)})
	wantLost(t, err)
	mustDrop(t, way, alice, key("call", 1))
	wantOwner(t, r, "call", nobody, 1)
}

func claimAgain(t testing.TB, r failover.Registry) {
	way := losing(r)
	mustPut(t, r, alice, entry("call", 1, 1))
	_, err := way.Claim(t.Context(), bob, alice, []failover.Key{key("call", 1)})
	wantLost(t, err)
	wantState(t, "repeated Claim", mustClaim(t, way, bob, alice, key("call", 1)), entry("call", 1, 1), 2)
	mustPut(t, r, bob, entry("call", 2, 5))
	wantState(t, "Claim repeated after a Put", mustClaim(t, way, bob, alice, key("call", 1)), entry("call", 1, 5), 2)
	mustPut(t, r, bob, entry("call", 2, 4)) // a claim that is repeated does not begin anew
	wantOwned(t, r, bob, key("call", 2))
	wantStored(t, r, bob, entry("call", 2, 5))
}

func claimTooLate(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1), entry("ended", 1, 1))
	_, err := losing(r).Claim(t.Context(), bob, alice, []failover.Key{key("call", 1), key("ended", 1)})
	wantLost(t, err)
	mustClaim(t, r, carol, bob, key("call", 2))
	mustDrop(t, r, bob, key("ended", 2))
	again := claim(t, r, bob, alice, key("call", 1), key("ended", 1))
	wantFenced(t, "repeated Claim of a call that has another owner", again[0].Err, "call", carol, 3)
	wantFenced(t, "repeated Claim of a call that has ended", again[1].Err, "ended", nobody, 2)
}

func batchAgain(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("a", 1, 1))
	mustPut(t, r, alice, entry("b", 1, 1), entry("a", 1, 1), entry("c", 1, 1))
	mustClaim(t, r, bob, alice, key("b", 1))
	for i, c := range claim(t, r, bob, alice, key("a", 1), key("b", 1), key("c", 1)) {
		if c.Err != nil || c.Epoch != 2 {
			t.Errorf("Claim of three calls, one claimed before: result %d is epoch %d, %v, want epoch 2 and no error", i+1, c.Epoch, c.Err)
		}
	}
	mustDrop(t, r, bob, key("c", 2))
	mustDrop(t, r, bob, key("a", 2), key("c", 2), key("b", 2))
	wantOwned(t, r, bob)
}

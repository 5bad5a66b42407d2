package failovertest

import (
	"errors"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// claims checks how a call gets another owner.
var claims = []check{
	{"claim", "Claim raises the epoch by one, makes its node the only owner, and returns the latest state.", claimOne},
	{"claim fences", "After a claim, writes of the former owner are fenced.", claimFences},
	{"claim from another", "A claim from a node that does not own the call is fenced.", claimFromAnother},
	{"claim in another epoch", "A claim with another epoch than the stored one, older or newer, is fenced.", claimOtherEpoch},
	{"claim unknown", "A claim of a missing call gives ErrUnknown, and does not create it.", claimUnknown},
	{"claims in a row", "Each claim raises the epoch by one, also when a former owner gets the call back.", claimsInARow},
	{"claim in part", "Results are in order, and a refused key does not affect the others.", claimInPart},
	{"owner in order", "Owner returns results in the order of the IDs, zero for a missing call.", ownerInOrder},
}

func claimOne(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1), entry("other", 1, 1))
	mustPut(t, r, alice, entry("call", 1, 2))
	c := mustClaim(t, r, bob, alice, key("call", 1))
	wantState(t, "Claim", c, entry("call", 1, 2), 2)
	wantOwner(t, r, "call", bob, 2)
	wantOwned(t, r, bob, key("call", 2))
	wantOwned(t, r, alice, key("other", 1))
}

func claimFences(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1))
	mustClaim(t, r, bob, alice, key("call", 1))
	wantFenced(t, "Put by the former owner", put(t, r, alice, entry("call", 1, 9))[0], "call", bob, 2)
	wantFenced(t, "Drop by the former owner", drop(t, r, alice, key("call", 1))[0], "call", bob, 2)
	wantFenced(t, "Put of the epoch before by the new owner", put(t, r, bob, entry("call", 1, 9))[0], "call", bob, 2)
	mustPut(t, r, bob, entry("call", 2, 2))
	wantStored(t, r, bob, entry("call", 2, 2))
}

func claimFromAnother(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1))
	wantFenced(t, "Claim from a node that does not own the call", claim(t, r, bob, carol, key("call", 1))[0].Err, "call", alice, 1)
	mustClaim(t, r, carol, alice, key("call", 1))
	wantFenced(t, "Claim that came second", claim(t, r, bob, alice, key("call", 1))[0].Err, "call", carol, 2)
	wantOwner(t, r, "call", carol, 2)
	wantOwned(t, r, bob)
}

func claimOtherEpoch(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 5, 1))
	for _, epoch := range []uint64{3, 4, 6} {
		wantFenced(t, "Claim in an epoch that is not the call's", claim(t, r, bob, alice, key("call", epoch))[0].Err, "call", alice, 5)
	}
	wantOwner(t, r, "call", alice, 5)
	wantOwned(t, r, bob)
}

func claimUnknown(t testing.TB, r failover.Registry) {
	if err := claim(t, r, bob, alice, key("call", 1))[0].Err; !errors.Is(err, failover.ErrUnknown) {
		t.Errorf("Claim of a call that is not there: error is %v, want ErrUnknown", err)
	}
	wantOwner(t, r, "call", nobody, 0)
	wantOwned(t, r, bob)
}

func claimsInARow(t testing.TB, r failover.Registry) {
	nodes := []failover.Node{alice, bob, carol}
	mustPut(t, r, alice, entry("call", 1, 1))
	for i := range 7 {
		from, me, epoch := nodes[i%3], nodes[(i+1)%3], uint64(i+1)
		c := mustClaim(t, r, me, from, key("call", epoch))
		wantState(t, "Claim", c, entry("call", 1, 1), epoch+1)
		wantOwner(t, r, "call", me, epoch+1)
		wantOwned(t, r, from)
		wantFenced(t, "Put by the former owner", put(t, r, from, entry("call", epoch, 99))[0], "call", me, epoch+1)
	}
}

func claimInPart(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("first", 1, 1), entry("last", 1, 3))
	mustPut(t, r, carol, entry("fenced", 2, 1))
	c := claim(t, r, bob, alice, key("first", 1), key("fenced", 1), key("unknown", 1), key("last", 1))
	if c[0].Err != nil || c[3].Err != nil {
		t.Fatalf("Claim of four calls, two of them there: errors are %v and %v, want none", c[0].Err, c[3].Err)
	}
	wantState(t, "the first of four results", c[0], entry("first", 1, 1), 2)
	wantFenced(t, "the second of four results", c[1].Err, "fenced", carol, 2)
	if !errors.Is(c[2].Err, failover.ErrUnknown) {
		t.Errorf("the third of four results: error is %v, want ErrUnknown", c[2].Err)
	}
	wantState(t, "the last of four results", c[3], entry("last", 1, 3), 2)
}

func ownerInOrder(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("b", 1, 1), entry("ended", 3, 1))
	mustPut(t, r, bob, entry("a", 2, 1))
	mustDrop(t, r, alice, key("ended", 3))
	ids := []dialogstore.ID{key("b", 0).ID, key("missing", 0).ID, key("a", 0).ID, key("ended", 0).ID, key("b", 0).ID}
	got, err := r.Owner(t.Context(), ids)
	if err != nil || len(got) != len(ids) {
		t.Fatalf("Owner of %d calls = %v, %v, want a result for each and no error", len(ids), got, err)
	}
	want := []failover.Ownership{{Owner: alice, Epoch: 1}, {}, {Owner: bob, Epoch: 2}, {Epoch: 3}, {Owner: alice, Epoch: 1}}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("Owner: result %d is %v, want %v", i+1, got[i], want[i])
		}
	}
}

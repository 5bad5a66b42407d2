package failovertest

import (
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// puts checks what a node may store.
var puts = []check{
	{"put", "Put creates a missing call, owned by its node in the given epoch.", putNew},
	{"put newer", "A newer version replaces an older one.", putNewer},
	{"put older", "A version that is not newer changes nothing, and is not an error.", putOlder},
	{"put fenced by epoch", "A Put with an older epoch than the stored one is fenced.", putOldEpoch},
	{"put fenced by owner", "A Put by another owner of the stored epoch is fenced.", putOfAnother},
	{"put of a higher epoch", "A Put with a higher epoch than the stored one makes its node the owner, whatever the versions: the registry has lost writes.", putHigherEpoch},
	{"put after a claim", "Versions are compared within an epoch only: the first Put after a claim is stored, whatever its version.", putAfterClaim},
	{"put in part", "Results are in order, and a refused entry does not affect the others.", putInPart},
	{"put twice at once", "The entries of a batch are processed in order.", putTwiceAtOnce},
	{"nothing", "An empty batch has no results, and is not an error.", nothing},
}

func putNew(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1), entry("taken", 7, 1))
	wantOwner(t, r, "call", alice, 1)
	wantOwner(t, r, "taken", alice, 7)
	wantStored(t, r, alice, entry("call", 1, 1))
	wantStored(t, r, alice, entry("taken", 7, 1))
}

func putNewer(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 9))
	mustPut(t, r, alice, entry("call", 1, 10))
	wantOwner(t, r, "call", alice, 1)
	wantStored(t, r, alice, entry("call", 1, 10))
}

func putOlder(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 10))
	mustPut(t, r, alice, entry("call", 1, 9))
	same := entry("call", 1, 10)
	same.Dialog.RemoteTarget = "sip:another@192.0.2.9"
	mustPut(t, r, alice, same)
	wantStored(t, r, alice, entry("call", 1, 10))
}

func putOldEpoch(t testing.TB, r failover.Registry) {
	mustPut(t, r, bob, entry("call", 3, 1))
	wantFenced(t, "Put by the former owner", put(t, r, alice, entry("call", 2, 99))[0], "call", bob, 3)
	wantFenced(t, "Put of an older epoch by the owner", put(t, r, bob, entry("call", 2, 99))[0], "call", bob, 3)
	wantOwner(t, r, "call", bob, 3)
	wantOwned(t, r, alice)
	wantStored(t, r, bob, entry("call", 3, 1))
}

func putOfAnother(t testing.TB, r failover.Registry) {
	mustPut(t, r, bob, entry("call", 2, 1))
	wantFenced(t, "Put by another owner of the same epoch", put(t, r, alice, entry("call", 2, 99))[0], "call", bob, 2)
	wantOwner(t, r, "call", bob, 2)
	wantStored(t, r, bob, entry("call", 2, 1))
}

func putHigherEpoch(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 99))
	mustPut(t, r, bob, entry("call", 3, 1))
	wantOwner(t, r, "call", bob, 3)
	wantOwned(t, r, alice)
	wantOwned(t, r, bob, key("call", 3))
	wantFenced(t, "Put by the former owner", put(t, r, alice, entry("call", 1, 100))[0], "call", bob, 3)
	wantStored(t, r, bob, entry("call", 3, 1))
}

func putAfterClaim(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 99))
	mustClaim(t, r, bob, alice, key("call", 1))
	mustPut(t, r, bob, entry("call", 2, 1))
	wantStored(t, r, bob, entry("call", 2, 1))
}

func putInPart(t testing.TB, r failover.Registry) {
	mustPut(t, r, bob, entry("fenced", 2, 1))
	mustPut(t, r, alice, entry("older", 1, 2))
	errs := put(t, r, alice, entry("first", 1, 1), entry("fenced", 1, 9), entry("older", 1, 1), entry("last", 1, 1))
	for _, i := range []int{0, 2, 3} {
		if errs[i] != nil {
			t.Errorf("Put of four calls, the second fenced: result %d is %v, want no error", i+1, errs[i])
		}
	}
	wantFenced(t, "the second of four results", errs[1], "fenced", bob, 2)
	wantStored(t, r, alice, entry("first", 1, 1))
	wantStored(t, r, bob, entry("fenced", 2, 1))
	wantStored(t, r, alice, entry("older", 1, 2))
	wantStored(t, r, alice, entry("last", 1, 1))
}

func putTwiceAtOnce(t testing.TB, r failover.Registry) {
	errs := put(t, r, alice, entry("call", 1, 1), entry("call", 1, 3), entry("call", 1, 2), entry("call", 4, 1), entry("call", 3, 1))
	for i, err := range errs[:4] {
		if err != nil {
			t.Errorf("Put of five states of one call: result %d is %v, want no error", i+1, err)
		}
	}
	wantFenced(t, "the last state, of an epoch older than the one before", errs[4], "call", alice, 4)
	wantStored(t, r, alice, entry("call", 4, 1))
}

func nothing(t testing.TB, r failover.Registry) {
	put(t, r, alice)
	drop(t, r, alice)
	claim(t, r, alice, bob)
	if owners, err := r.Owner(t.Context(), nil); err != nil || len(owners) != 0 {
		t.Errorf("Owner of no calls = %v, %v, want no results and no error", owners, err)
	}
}

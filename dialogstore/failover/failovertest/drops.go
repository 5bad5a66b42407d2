package failovertest

import (
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// nobody is the owner of a call that has ended.
var nobody failover.Node

// drops checks the end of a call, and that the registry remembers it.
var drops = []check{
	{"drop", "A dropped call has no owner, and cannot be claimed.", dropOne},
	{"drop fenced by epoch", "A Drop with an older epoch than the stored one is fenced.", dropOldEpoch},
	{"drop fenced by owner", "A Drop by another owner of the stored epoch is fenced.", dropOfAnother},
	{"drop of a higher epoch", "A Drop with a higher epoch than the stored one ends the call, whoever owns it: the registry has lost writes.", dropHigherEpoch},
	{"late put", "A late Put with the epoch of the Drop, or an older one, does not bring the call back.", latePut},
	{"put after a drop", "A Put with a later epoch brings back a call that a former owner has dropped.", putAfterDrop},
	{"drop missing", "Dropping a missing call is not an error, and is remembered.", dropMissing},
	{"drop again", "Dropping a call twice in one epoch is not an error. With an older epoch it is fenced.", dropAgain},
	{"drop in part", "Results are in order, and a refused key does not affect the others.", dropInPart},
}

func dropOne(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 2, 1), entry("other", 2, 1))
	mustDrop(t, r, alice, key("call", 2))
	wantOwner(t, r, "call", nobody, 2)
	wantOwned(t, r, alice, key("other", 2))
	wantFenced(t, "Claim of a call that was dropped", claim(t, r, bob, alice, key("call", 2))[0].Err, "call", nobody, 2)
	wantOwner(t, r, "call", nobody, 2)
}

func dropOldEpoch(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1))
	mustClaim(t, r, bob, alice, key("call", 1))
	wantFenced(t, "Drop by the former owner", drop(t, r, alice, key("call", 1))[0], "call", bob, 2)
	wantOwner(t, r, "call", bob, 2)
	wantStored(t, r, bob, failover.Entry{Epoch: 2, Dialog: entry("call", 1, 1).Dialog})
}

func dropOfAnother(t testing.TB, r failover.Registry) {
	mustPut(t, r, bob, entry("call", 2, 1))
	wantFenced(t, "Drop by another owner of the same epoch", drop(t, r, alice, key("call", 2))[0], "call", bob, 2)
	wantStored(t, r, bob, entry("call", 2, 1))
}

func dropHigherEpoch(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1))
	mustDrop(t, r, bob, key("call", 2))
	wantOwner(t, r, "call", nobody, 2)
	wantOwned(t, r, alice)
	wantFenced(t, "Put by the former owner", put(t, r, alice, entry("call", 1, 2))[0], "call", nobody, 2)
}

func latePut(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 2, 1))
	mustDrop(t, r, alice, key("call", 2))
	for epoch := range uint64(2) {
		wantFenced(t, "late Put", put(t, r, alice, entry("call", 1+epoch, 9))[0], "call", nobody, 2)
	}
	wantFenced(t, "late Put by another", put(t, r, bob, entry("call", 2, 9))[0], "call", nobody, 2)
	wantOwner(t, r, "call", nobody, 2)
	wantOwned(t, r, alice)
	wantOwned(t, r, bob)
}

func putAfterDrop(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 2, 9))
	mustDrop(t, r, alice, key("call", 2))
	mustPut(t, r, bob, entry("call", 3, 1))
	wantOwner(t, r, "call", bob, 3)
	wantStored(t, r, bob, entry("call", 3, 1))
}

func dropMissing(t testing.TB, r failover.Registry) {
	mustDrop(t, r, alice, key("call", 2))
	wantOwner(t, r, "call", nobody, 2)
	wantFenced(t, "Put of the call", put(t, r, alice, entry("call", 2, 9))[0], "call", nobody, 2)
}

func dropAgain(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 2, 1))
	mustDrop(t, r, alice, key("call", 2))
	mustDrop(t, r, alice, key("call", 2))
	wantFenced(t, "Drop in an older epoch", drop(t, r, alice, key("call", 1))[0], "call", nobody, 2)
	wantOwner(t, r, "call", nobody, 2)
}

func dropInPart(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("first", 1, 1), entry("last", 1, 1))
	mustPut(t, r, bob, entry("fenced", 2, 1))
	errs := drop(t, r, alice, key("first", 1), key("fenced", 1), key("last", 1))
	if errs[0] != nil || errs[2] != nil {
		t.Errorf("Drop of three calls, the second fenced = %v, want no error but that", errs)
	}
	wantFenced(t, "the second of three results", errs[1], "fenced", bob, 2)
	wantOwner(t, r, "first", nobody, 1)
	wantOwner(t, r, "fenced", bob, 2)
	wantOwner(t, r, "last", nobody, 1)
}

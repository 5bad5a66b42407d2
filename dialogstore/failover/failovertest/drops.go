package failovertest

import (
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// nobody owns a call that has ended.
var nobody failover.Node

// drops is the end of a call, and that it is remembered.
var drops = []check{
	{"drop", "A call that was dropped is owned by nobody, and claimed by nobody.", dropOne},
	{"drop fenced by epoch", "A node whose epoch is over does not end a call that another node has.", dropOldEpoch},
	{"drop fenced by owner", "Of two owners of one epoch the one that the registry does not know does not end the call.", dropOfAnother},
	{"drop of a higher epoch", "A higher epoch than the one stored ends the call, whoever owned it: writes were lost.", dropHigherEpoch},
	{"late put", "A Put on its way does not bring back a call that was dropped, be it of the same epoch or an older one.", latePut},
	{"put after a drop", "A call that was dropped by a former owner comes back with the next Put of a later epoch.", putAfterDrop},
	{"drop missing", "Drop of a call that is missing is no error, and remembered.", dropMissing},
	{"drop again", "Drop of a call that was dropped in the same epoch is no error; in an older one it is fenced.", dropAgain},
	{"drop in part", "Each key has its own result, in order: one that is refused does not keep the others from being dropped.", dropInPart},
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

package failovertest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/sample"
)

// values checks that a registry returns what it was given, and shares none of it.
var values = []check{
	{"every field", "Every field of a Dialog but Session.Since is stored without loss.", everyField},
	{"every field alone", "No field of a Dialog is mistaken for another.", everyFieldAlone},
	{"extremes", "Large numbers, long and unusual texts and bytes are stored without loss.", extremes},
	{"field by field", "A newer state replaces the older one completely: its zero fields are zero.", fieldByField},
	{"alike IDs", "IDs are compared as Go compares them: part by part, byte by byte.", alikeIDs},
	{"alike nodes", "Nodes are compared as Go compares them: part by part, byte by byte.", alikeNodes},
	{"copies", "Values go in and out by copy: a change of one, or an append to it, affects no other.", copies},
}

// roundTrip stores d in a new call and as a newer state, and claims it each time.
func roundTrip(t testing.TB, r failover.Registry, callID string, d dialogstore.Dialog) {
	t.Helper()
	d.CallID = callID
	e := failover.Entry{Epoch: 1, Dialog: d}
	mustPut(t, r, alice, e)
	c := mustClaim(t, r, bob, alice, e.Key())
	wantState(t, "Claim", c, e, 2)
	e.Epoch, e.Dialog.Version = 2, d.Version+1
	mustPut(t, r, bob, e)
	c = mustClaim(t, r, alice, bob, e.Key())
	wantState(t, "Claim of a newer state", c, e, 3)
}

func everyField(t testing.TB, r failover.Registry) {
	roundTrip(t, r, "call", sample.Filled())
}

func everyFieldAlone(t testing.TB, r failover.Registry) {
	for i, d := range sample.Alone() {
		roundTrip(t, r, fmt.Sprint("call-", i), d)
	}
}

func extremes(t testing.TB, r failover.Registry) {
	roundTrip(t, r, "bare", sample.Bare())
	d := sample.Extreme()
	roundTrip(t, r, "no timer", d)
	d.Session.Refresher = sample.Filled().Session.Refresher
	roundTrip(t, r, "136 years", d)
	d.Version = math.MaxInt64 >> 11 // below 2^53
	roundTrip(t, r, "many versions", d)
}

func fieldByField(t testing.TB, r failover.Registry) {
	for i, d := range append([]dialogstore.Dialog{sample.Bare()}, sample.Alone()...) {
		d.CallID = fmt.Sprint("call-", i)
		full := sample.Filled()
		full.ID = d.ID
		mustPut(t, r, alice, failover.Entry{Epoch: 1, Dialog: full})
		d.Version = full.Version + 1
		e := failover.Entry{Epoch: 1, Dialog: d}
		mustPut(t, r, alice, e)
		wantState(t, "Claim", mustClaim(t, r, bob, alice, e.Key()), e, 2)
	}
}

func alikeIDs(t testing.TB, r failover.Registry) {
	ids := sample.AlikeIDs()
	entries := make([]failover.Entry, len(ids))
	for i, id := range ids {
		entries[i] = aged("", 1, time.Duration(len(ids)-i)*time.Second)
		entries[i].Dialog.ID, entries[i].Dialog.LocalCSeq = id, uint32(i)
	}
	mustPut(t, r, alice, entries...)
	held := owned(t, r, alice, math.MaxInt)
	if len(held) != len(ids) {
		t.Fatalf("Owned lists %d of %d calls with IDs that are alike", len(held), len(ids))
	}
	for i, e := range entries {
		if held[i].Key != e.Key() {
			t.Errorf("Owned: number %d is %v, want %v", i+1, held[i].Key, e.Key())
		}
		c := mustClaim(t, r, bob, alice, e.Key())
		wantState(t, "Claim", c, e, 2)
	}
}

func alikeNodes(t testing.TB, r failover.Registry) {
	nodes := []failover.Node{{Name: "node", Run: "run"}, {Name: "run", Run: "node"}, {Name: "Node", Run: "run"}, {Name: "node", Run: "Run"},
		{Name: "日本", Run: "run"}, {Name: "node"}, {Name: "noderun"}}
	for _, sep := range ":/|-_.,;@#{} \n\"\\" {
		ab, bc := fmt.Sprintf("a%cb", sep), fmt.Sprintf("b%cc", sep)
		nodes = append(nodes, failover.Node{Name: "a", Run: bc}, failover.Node{Name: ab, Run: "c"})
	}
	for i, node := range nodes {
		mustPut(t, r, node, entry(fmt.Sprint("call-", i), 1, 1))
		beat(t, r, node)
	}
	p := beat(t, r, nodes[0])
	wantNodes(t, p, nodes...)
	for i, node := range nodes {
		wantOwned(t, r, node, key(fmt.Sprint("call-", i), 1))
		wantOwner(t, r, fmt.Sprint("call-", i), node, 1)
	}
}

// copies appends to the slices of several copies. It does not modify their elements, which
// are read-only for both sides. Repeating a claim returns the same state again.
func copies(t testing.TB, r failover.Registry) {
	fresh := func() failover.Entry {
		d := sample.Filled()
		d.Session.Since = time.Time{}
		return failover.Entry{Epoch: 1, Dialog: d}
	}
	mine := []failover.Entry{fresh()}
	mustPut(t, r, alice, mine...)
	if diff := cmp.Diff(fresh(), mine[0]); diff != "" {
		t.Errorf("the entry that Put was given has changed (-want +got):\n%s", diff)
	}
	taken := []*dialogstore.Dialog{&mine[0].Dialog}
	for range 2 {
		c := mustClaim(t, r, bob, alice, mine[0].Key())
		taken = append(taken, &c.Dialog)
	}
	for i, d := range taken {
		sample.Scribble(d, i)
	}
	for i, d := range taken {
		want := fresh().Dialog
		sample.Scribble(&want, i)
		if diff := cmp.Diff(want, *d); diff != "" {
			t.Errorf("a copy has changed with another one (-want +got):\n%s", diff)
		}
	}
	e := fresh()
	wantState(t, "Claim", mustClaim(t, r, bob, alice, e.Key()), e, 2)
}

package failovertest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// beats checks what nodes tell the registry about themselves and learn about each other.
var beats = []check{
	{"beat", "A node is known to itself and to the others from its first Beat on.", firstBeat},
	{"beats count", "A Beat raises the Count of its node, and of no other.", beatsCount},
	{"runs", "Two runs with one name are two nodes.", runs},
	{"leave", "A node that leaves is Left until its next Beat, even if it had never beaten.", leaving},
	{"bury", "A buried node is Dead until its next Beat, which tells it so.", burying},
	{"bury the living", "Bury fails for a node that has beaten since the given count, and for an unknown one.", buryTheLiving},
	{"bury at once", "Two nodes that bury a third for the same count both succeed, and it counts once.", buryTwice},
	{"bury again", "Each burial of a node is counted.", buryAgain},
	{"generation", "As long as nothing is lost, the generation stays the same for all nodes.", oneGeneration},
}

// flushed checks a registry that has lost everything.
var flushed = []check{
	{"flush", "A registry that has lost everything has a new generation, and accepts what owners put again.", flush},
}

// seen returns the entry of a node in a pulse.
func seen(t testing.TB, p failover.Pulse, node failover.Node) failover.Beating {
	t.Helper()
	var found []failover.Beating
	for _, b := range p.Nodes {
		if b.Node == node {
			found = append(found, b)
		}
	}
	if len(found) != 1 {
		t.Fatalf("a pulse has %v %d times, want it once: %v", node, len(found), p.Nodes)
	}
	return found[0]
}

// wantNodes checks which nodes a pulse lists.
func wantNodes(t testing.TB, p failover.Pulse, want ...failover.Node) {
	t.Helper()
	var got []failover.Node
	for _, b := range p.Nodes {
		got = append(got, b.Node)
	}
	less := func(a, b failover.Node) bool { return a.Name < b.Name || a.Name == b.Name && a.Run < b.Run }
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(less)); diff != "" {
		t.Errorf("a pulse has other nodes (-want +got):\n%s", diff)
	}
}

// wantSeen checks the entry of a node in a pulse, except for its count.
func wantSeen(t testing.TB, p failover.Pulse, want failover.Beating) {
	t.Helper()
	got := seen(t, p, want.Node)
	want.Count = got.Count
	if got != want {
		t.Errorf("a pulse says %+v, want %+v", got, want)
	}
}

func firstBeat(t testing.TB, r failover.Registry) {
	p := beat(t, r, alice)
	wantNodes(t, p, alice)
	wantSeen(t, p, failover.Beating{Node: alice})
	if p.Buried != 0 {
		t.Errorf("after its first beat a node was buried %d times, want never", p.Buried)
	}
	wantNodes(t, beat(t, r, bob), alice, bob)
	wantNodes(t, beat(t, r, alice), alice, bob)
}

func beatsCount(t testing.TB, r failover.Registry) {
	beat(t, r, bob)
	last := beat(t, r, alice)
	for range 3 {
		next := beat(t, r, alice)
		if seen(t, next, alice).Count <= seen(t, last, alice).Count {
			t.Errorf("a beat changes the count from %d to %d, want it to rise", seen(t, last, alice).Count, seen(t, next, alice).Count)
		}
		if seen(t, next, bob) != seen(t, last, bob) {
			t.Errorf("another's beat makes %v of %v, want no change", seen(t, next, bob), seen(t, last, bob))
		}
		last = next
	}
}

func runs(t testing.TB, r failover.Registry) {
	before, after := failover.Node{Name: "node", Run: "1"}, failover.Node{Name: "node", Run: "2"}
	first := beat(t, r, before)
	mustPut(t, r, before, entry("call", 1, 1))
	second := beat(t, r, after)
	wantNodes(t, second, before, after)
	if seen(t, second, before) != seen(t, first, before) {
		t.Error("the beat of a later run counts for the earlier one, want each to have its own count")
	}
	wantOwned(t, r, after)
	wantFenced(t, "Put by a later run", put(t, r, after, entry("call", 1, 2))[0], "call", before, 1)
	mustClaim(t, r, after, before, key("call", 1))
	wantOwner(t, r, "call", after, 2)
}

func leaving(t testing.TB, r failover.Registry) {
	before := seen(t, beat(t, r, alice), alice)
	leave(t, r, alice)
	left := beat(t, r, bob)
	wantSeen(t, left, failover.Beating{Node: alice, Left: true})
	wantSeen(t, left, failover.Beating{Node: bob})
	if seen(t, left, alice).Count != before.Count {
		t.Error("Leave counts as a beat, want the count to stay")
	}
	wantSeen(t, beat(t, r, alice), failover.Beating{Node: alice})
	leave(t, r, carol)
	wantSeen(t, beat(t, r, bob), failover.Beating{Node: carol, Left: true})
}

func burying(t testing.TB, r failover.Registry) {
	last := seen(t, beat(t, r, alice), alice)
	bury(t, r, alice, last.Count, true)
	p := beat(t, r, bob)
	wantSeen(t, p, failover.Beating{Node: alice, Dead: true})
	if p.Buried != 0 {
		t.Errorf("another's burial is told to a node as %d of its own, want none", p.Buried)
	}
	p = beat(t, r, alice)
	if p.Buried != 1 {
		t.Errorf("the beat after a burial says that the node was buried %d times, want once", p.Buried)
	}
	wantSeen(t, p, failover.Beating{Node: alice})
	if got := seen(t, p, alice).Count; got == last.Count {
		t.Errorf("the beat after a burial has the count %d as before, want another", got)
	}
}

func buryTheLiving(t testing.TB, r failover.Registry) {
	old := seen(t, beat(t, r, alice), alice).Count
	beat(t, r, alice)
	bury(t, r, alice, old, false)
	bury(t, r, carol, 0, false)
	p := beat(t, r, bob)
	wantNodes(t, p, alice, bob)
	wantSeen(t, p, failover.Beating{Node: alice})
	if got := beat(t, r, alice).Buried; got != 0 {
		t.Errorf("a node that was not buried is told of %d burials, want none", got)
	}
}

func buryTwice(t testing.TB, r failover.Registry) {
	count := seen(t, beat(t, r, alice), alice).Count
	bury(t, r, alice, count, true)
	bury(t, r, alice, count, true)
	if got := beat(t, r, alice).Buried; got != 1 {
		t.Errorf("a node that two have buried at once is told of %d burials, want 1", got)
	}
}

func buryAgain(t testing.TB, r failover.Registry) {
	for n := range uint64(3) {
		p := beat(t, r, alice)
		if p.Buried != n {
			t.Errorf("after %d burials a node is told of %d", n, p.Buried)
		}
		bury(t, r, alice, seen(t, p, alice).Count, true)
	}
}

func oneGeneration(t testing.TB, r failover.Registry) {
	want := beat(t, r, alice).Generation
	mustPut(t, r, alice, entry("call", 1, 1))
	mustClaim(t, r, bob, alice, key("call", 1))
	mustDrop(t, r, bob, key("call", 2))
	leave(t, r, alice)
	for _, node := range []failover.Node{alice, bob, carol} {
		if got := beat(t, r, node).Generation; got != want {
			t.Errorf("%s is told of the generation %q, want %q as before", node.Name, got, want)
		}
	}
}

func flush(t testing.TB, r failover.Registry) {
	before := beat(t, r, alice)
	mustPut(t, r, alice, entry("call", 3, 1), entry("dropped", 1, 1))
	mustDrop(t, r, alice, key("dropped", 1))
	r.(Flusher).Flush()
	wantOwner(t, r, "call", failover.Node{}, 0)
	wantOwner(t, r, "dropped", failover.Node{}, 0)
	wantOwned(t, r, alice)
	after := beat(t, r, bob)
	wantNodes(t, after, bob)
	if after.Generation == before.Generation {
		t.Errorf("a registry that has lost everything says it is still of the generation %q, want another", after.Generation)
	}
	if again := beat(t, r, alice).Generation; again != after.Generation {
		t.Errorf("after a flush bob is told of the generation %q and alice of %q, want one", after.Generation, again)
	}
	mustPut(t, r, alice, entry("call", 3, 2))
	wantOwned(t, r, alice, key("call", 3))
	wantStored(t, r, alice, entry("call", 3, 2))
}

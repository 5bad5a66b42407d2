package ownership

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Each node has a rank of its own for each call, and all have about as many calls of
// each rank.
func TestRank(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	var hashes []uint64
	for _, name := range names {
		hashes = append(hashes, nameHash(name))
	}
	const calls = 4000
	var first [4]int
	for i := range calls {
		id := call(fmt.Sprint("call-", i)).ID
		var taken [4]bool
		for me := range hashes {
			others := slices.Delete(slices.Clone(hashes), me, me+1)
			r := rank(id, hashes[me], others)
			if taken[r] {
				t.Fatalf("two nodes have rank %d for %v", r, id)
			}
			taken[r] = true
			if r == 0 {
				first[me]++
			}
		}
	}
	for me, n := range first {
		if n < calls/5 || n > calls*3/10 {
			t.Errorf("%s comes first for %d of %d calls, want about a quarter", names[me], n, calls)
		}
	}
}

// Whoever is gone leaves the order of the others as it is.
func TestRankStays(t *testing.T) {
	a, b, c := nameHash("a"), nameHash("b"), nameHash("c")
	for i := range 100 {
		id := call(fmt.Sprint("call-", i)).ID
		if all, without := rank(id, a, []uint64{b, c}), rank(id, a, []uint64{b}); without != all && without != all-1 {
			t.Errorf("rank %d of three, %d of two", all, without)
		}
	}
}

// Nodes of several versions compute the order alike: FNV-1a, and the finalizer of SplitMix64,
// whose first output for the seed 0 is known.
func TestRankOfAllVersions(t *testing.T) {
	if got := mix(0x9e3779b97f4a7c15); got != 0xe220a8397b1dcdaf {
		t.Errorf("mix is %#x", got)
	}
	if got := nameHash("a"); got != 0xaf63dc4c8601ec8c {
		t.Errorf("nameHash is %#x", got)
	}
	id := dialogstore.ID{CallID: "a", LocalTag: "b", RemoteTag: "c"}
	if got, want := idHash(id), nameHash("a\x00b\x00c"); got != want {
		t.Errorf("idHash is %#x, want %#x", got, want)
	}
	if got := rank(id, 7, []uint64{7}); got != 0 {
		t.Errorf("the rank beside a node of the same hash is %d, want 0", got)
	}
}

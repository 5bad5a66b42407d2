package timerpage

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// A shortlist has the calls with the least slack, in whatever order they come.
func TestShortlist(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		few, many := rapid.SliceOf(rapid.IntRange(0, 9)), rapid.SliceOfN(rapid.IntRange(0, 9), 2*longest, 5*longest)
		slacks := rapid.OneOf(few, many).Draw(t, "slacks")
		var l shortlist
		for i, s := range slacks {
			l.add(dialogstore.ID{CallID: fmt.Sprint(i)}, time.Duration(s))
		}
		var got []int
		for _, id := range l.ids() {
			var i int
			_, _ = fmt.Sscan(id.CallID, &i)
			got = append(got, slacks[i])
		}
		want := slices.Sorted(slices.Values(slacks))
		if want = want[:min(len(want), longest)]; !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

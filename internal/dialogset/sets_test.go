package dialogset

import (
	"fmt"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// After a burst of calls, once no more than a quarter of its sets is left, the map is made
// anew at the next sweep, with the sets that are left.
func TestBurstIsForgotten(t *testing.T) {
	const burst = 100
	for _, c := range []struct{ left, peak int }{{burst, burst}, {26, burst}, {25, 25}, {1, 1}} {
		bubble.Test(t, func(t *testing.T) {
			ss := New()
			defer ss.Close()
			var sets []*Set
			for i := range burst {
				sets = append(sets, ss.Open(fmt.Sprint(i), "tag"))
			}
			for _, s := range sets[c.left:] {
				ss.Drop(s)
			}
			ss.sweep()
			if ss.peak != c.peak || len(ss.all) != c.left {
				t.Errorf("with %d of %d sets left the map has %d and had %d at most, want %d", c.left, burst, len(ss.all), ss.peak, c.peak)
			}
			for i, s := range sets[:c.left] {
				if ss.Find(fmt.Sprint(i), "tag") != s {
					t.Errorf("with %d sets left number %d is another", c.left, i)
				}
			}
		})
	}
}

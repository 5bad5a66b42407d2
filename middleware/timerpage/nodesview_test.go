package timerpage

import (
	"slices"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// This node comes first, then the others by state: those that live by name, as they are given,
// all others by their last report, the latest first.
func TestNodeRows(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	rows := nodeRows([]middleware.Node{
		{Name: "me", Run: "1", Self: true, State: middleware.NodeAlive, Seen: at(90)},
		{Name: "a", Run: "1", State: middleware.NodeDead, Seen: at(10)},
		{Name: "a", Run: "2", State: middleware.NodeDead, Seen: at(30)},
		{Name: "a", Run: "3", State: middleware.NodeDead, Seen: at(20)},
		{Name: "b", Run: "1", State: middleware.NodeAlive, Seen: at(89)},
		{Name: "c", Run: "1", State: middleware.NodeLeft, Seen: at(50)},
		{Name: "c", Run: "2", State: middleware.NodeAlive, Seen: at(91)},
		{Name: "d", Run: "1", State: middleware.NodeSilent, Seen: at(70)},
		{Name: "e", Run: "1", State: middleware.NodeSilent, Seen: at(75)},
	})
	var got []string
	for _, r := range rows {
		got = append(got, r.Name+r.Run+" "+r.State.Word)
	}
	want := []string{"me1 alive", "b1 alive", "c2 alive", "e1 silent", "d1 silent", "c1 restarted", "a2 dead", "a3 dead", "a1 dead"}
	if !slices.Equal(got, want) || !rows[0].Self || !rows[1].Seen.Equal(at(89)) {
		t.Errorf("%v\nwant %v", got, want)
	}
}

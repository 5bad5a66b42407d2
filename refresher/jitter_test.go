package refresher

import (
	"fmt"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// A refresh is due up to its share of the time earlier, but not sooner after the 2xx than
// Pace; a hang-up is due when it is.
func TestJitterOfNext(t *testing.T) {
	s := New()
	defer s.Close()
	s.cfg.Jitter = 0.5
	since := time.Now()
	for _, c := range []struct {
		wait        time.Duration // for the refresh, without jitter
		attempted   bool
		least, most time.Duration
		spread      time.Duration // at least
	}{
		{1000 * time.Second, false, 500 * time.Second, 1000 * time.Second, 400 * time.Second},
		{sessiontimer.Pace + 1, false, sessiontimer.Pace, sessiontimer.Pace + 1, 0},
		{sessiontimer.Pace, false, sessiontimer.Pace, sessiontimer.Pace, 0},
		{sessiontimer.Pace - 1, false, sessiontimer.Pace - 1, sessiontimer.Pace - 1, 0},
		{1000 * time.Second, true, 2000 * time.Second, 2000 * time.Second, 0},
	} {
		session := sessiontimer.Session{Interval: 2 * c.wait, Refresher: sessiontimer.Local, Since: since}
		least, most := time.Duration(1<<62), time.Duration(0)
		for i := range 1000 {
			_, at := s.nextAfter(&dialogstore.ID{CallID: fmt.Sprint(i)}, session, c.attempted, since)
			least, most = min(least, at.Sub(since)), max(most, at.Sub(since))
		}
		if least < c.least || most > c.most || most-least < c.spread {
			t.Errorf("%v, attempted %v: due after %v to %v, want %v to %v", c.wait, c.attempted, least, most, c.least, c.most)
		}
	}
}

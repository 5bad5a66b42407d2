package refresher_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// A dialog that is busy when its peer proves gone is hung up when it is free.
func TestHangupPutOff(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer, l.busy = always(481), 1
		l.create(call("gone", 1800*time.Second))
		attempts, hangups := l.run(24 * time.Hour)
		if len(attempts) != 1 || !slices.Equal(hangups, []time.Duration{901 * time.Second}) {
			t.Errorf("attempts %v, hung up at %v; want one, and a second after it", attempts, hangups)
		}
	})
}

// A hang-up that finds the dialog busy with a refresh of the peer does not affect the session
// of that refresh.
func TestHangupMeetsRefresh(t *testing.T) {
	for _, interval := range []time.Duration{30, 90, 600} {
		inLab(t, func(l *lab) {
			l.busy, l.crossing = 1, true
			d := call("healthy", interval*time.Second)
			d.Session.Refresher = sessiontimer.Peer
			l.create(d)
			first := d.Session.HangupAt().Sub(d.Session.Since)
			if _, hangups := l.run(time.Hour); !slices.Equal(hangups, []time.Duration{2 * first}) {
				t.Errorf("%d s: hung up at %v, want it when the renewed session is over, at %v", interval, hangups, 2*first)
			}
		})
	}
}

// The peer refreshes during a long refresh of ours: the new session is refreshed in its turn,
// whether ours ends before or after that comes near.
func TestRefreshesCross(t *testing.T) {
	for _, under := range []time.Duration{10, 100, 140} {
		inLab(t, func(l *lab) {
			l.answer = func(l *lab, n int, d dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
				if n > 1 {
					return 200, nil
				}
				time.Sleep(5 * time.Second)
				l.refreshed(context.Background(), d.ID)
				time.Sleep(under * time.Second)
				return 0, fmt.Errorf("timer F: %w", refresher.ErrUnanswered)
			}
			l.create(call("crossing", 300*time.Second))
			attempts, hangups := l.run(1000 * time.Second)
			if len(hangups) != 0 || len(attempts) < 6 || attempts[1].at != 305*time.Second {
				t.Errorf("%d s under way: attempts %v, hung up at %v; want the second attempt at 305 s, and no hang-up", under, attempts, hangups)
			}
		})
	}
}

// A session that replaces another is refreshed at half its own interval, earlier or later,
// whether the call was near or far.
func TestSessionsTakeTurns(t *testing.T) {
	for _, c := range []struct {
		first, second time.Duration // intervals
		after         time.Duration // the second comes after the first
	}{
		{60, 60, 10}, {60, 1800, 10}, {1800, 60, 10}, {60, 20, 10}, {1800, 1800, 10}, {1800, 1800, 880}, {300, 90, 130}, {90, 300, 44},
	} {
		inLab(t, func(l *lab) {
			l.answer = always(200)
			d := call("one", c.first*time.Second)
			l.create(d)
			time.Sleep(c.after * time.Second)
			_, _, _ = l.store.Update(context.Background(), d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
				d.Session.Since, d.Session.Interval = time.Now(), c.second*time.Second
				return d.State, nil
			})
			want := (c.after + c.second/2) * time.Second
			if attempts, hangups := l.run(want - c.after*time.Second); len(attempts) != 1 || attempts[0].at != want || len(hangups) != 0 {
				t.Errorf("%d s, and %d s after %d s: attempts %v, hang-ups %v; want one at %v", c.first, c.second, c.after, attempts, hangups, want)
			}
		})
	}
}

// A refresh that is due during one of the previous session waits for that.
func TestRefreshWaitsForTheOneBefore(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = func(l *lab, n int, d dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
			if n > 1 {
				return 200, nil
			}
			_, _, _ = l.store.Update(context.Background(), d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
				d.Session.Since, d.Session.Interval = time.Now(), 20*time.Second
				return d.State, nil
			})
			time.Sleep(12500 * time.Millisecond)
			return 500, nil
		}
		l.create(call("one", 60*time.Second))
		attempts, hangups := l.run(44 * time.Second)
		if len(attempts) != 2 || attempts[1].at != 43*time.Second || len(hangups) != 0 {
			t.Errorf("attempts %v, hang-ups %v; want the second within a second after the first is over, at 42.5 s", attempts, hangups)
		}
	})
}

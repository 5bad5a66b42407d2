package refresher_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
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

// A hang-up that finds the dialog busy with a refresh of the peer is none of the
// session that comes of it.
func TestHangupMeetsRefresh(t *testing.T) {
	for _, interval := range []time.Duration{90, 600} {
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

// The peer refreshes while a refresh of ours is under way for long: the session
// that comes of it is refreshed in its turn, whether the end of ours comes before
// that is near or after.
func TestRefreshesCross(t *testing.T) {
	for _, under := range []time.Duration{10, 100, 140} {
		inLab(t, func(l *lab) {
			l.answer = func(l *lab, n int, d dialogstore.Dialog, _ sip.RequestMethod) (int, error) {
				if n > 1 {
					return 200, nil
				}
				time.Sleep(5 * time.Second)
				l.refreshed(context.Background(), d.ID)
				time.Sleep(under * time.Second)
				return 0, fmt.Errorf("timer F: %w", sip.ErrTransactionTimeout)
			}
			l.create(call("crossing", 300*time.Second))
			attempts, hangups := l.run(1000 * time.Second)
			if len(hangups) != 0 || len(attempts) < 6 || attempts[1].at != 305*time.Second {
				t.Errorf("%d s under way: attempts %v, hung up at %v; want the second attempt at 305 s, and no hang-up", under, attempts, hangups)
			}
		})
	}
}

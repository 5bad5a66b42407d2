package refresher_test

import (
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// All sessions end on time, and their BYEs are sent as the limits allow. A busy one is ended
// when it is free.
func TestEndBeforeBye(t *testing.T) {
	inLoadedLab(t, 0, refresher.Limits{PerSecond: 1000, Unanswered: 5}, func(l *lab) {
		l.busy = 1
		l.answer, l.slowBye = always(200), 2*time.Second
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
			d := call(name, 90*time.Second)
			d.Session.Refresher = sessiontimer.Peer
			l.create(d)
		}
		l.run(2 * time.Minute)
		for i, at := range l.ends {
			want := time.Minute
			if i == 11 {
				want += time.Second
			}
			if at != want {
				t.Errorf("session %d of %d ended at %v, want %v", i+1, len(l.ends), at, want)
			}
		}
		if len(l.ends) != 12 || len(l.hangups) != 12 {
			t.Fatalf("%d sessions ended, %d BYEs, want 12", len(l.ends), len(l.hangups))
		}
		for i, want := range []time.Duration{60, 60, 60, 60, 60, 62, 62, 62, 62, 62, 64, 64} {
			if late := l.hangups[i] - want*time.Second; late < 0 || late > 200*time.Millisecond {
				t.Errorf("BYE %d at %v, want it at %d s", i+1, l.hangups[i], want)
			}
		}
	})
}

// A BYE that waits for a place is sent as soon as another has been sent.
func TestByeAfterBye(t *testing.T) {
	inLoadedLab(t, 0, refresher.Limits{PerSecond: 1000, Unanswered: 1}, func(l *lab) {
		l.answer, l.slowBye = always(200), 10*time.Millisecond
		for _, name := range []string{"a", "b", "c", "d"} {
			d := call(name, 90*time.Second)
			d.Session.Refresher = sessiontimer.Peer
			l.create(d)
		}
		l.run(2 * time.Minute)
		for i, at := range l.hangups {
			if want := time.Minute + time.Duration(i)*l.slowBye; at != want {
				t.Errorf("BYE %d of %d at %v, want it at %v", i+1, len(l.hangups), at, want)
			}
		}
	})
}

// A refresh that gets no place until its session is over does not keep the session up.
func TestEndOfWaitingRefresh(t *testing.T) {
	inLoadedLab(t, 0, refresher.Limits{PerSecond: 10, Unanswered: 1}, func(l *lab) {
		l.answer = always(0)
		l.calls(100, 90*time.Second)
		l.run(2 * time.Minute)
		last := l.ends[len(l.ends)-1]
		if len(l.ends) != 100 || last > 90*time.Second {
			t.Errorf("%d of 100 sessions ended, the last at %v; want all by their expiry, 1m30s", len(l.ends), last)
		}
	})
}

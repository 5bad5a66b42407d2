package refresher_test

import (
	"context"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// ender is a pipeline that ends a session before its BYE is sent.
type ender struct {
	*lab
	byes []time.Duration
}

// End implements refresher.Ender.
func (e *ender) End(ctx context.Context, d dialogstore.Dialog, reason sessiontimer.Reason) (func(context.Context), error) {
	if err := e.Hangup(ctx, d, reason); err != nil {
		return nil, err
	}
	return func(context.Context) {
		e.mu.Lock()
		e.byes = append(e.byes, time.Since(e.start))
		e.mu.Unlock()
		time.Sleep(2 * time.Second)
	}, nil
}

func inEnderLab(t *testing.T, limits refresher.Limits, f func(e *ender)) {
	t.Helper()
	inLab(t, func(l *lab) {
		e := &ender{lab: l}
		l.r.Configure(refresher.Config{Store: l.store, Pipeline: e, Event: l.event, Logger: quiet, Limits: limits})
		f(e)
	})
}

// Sessions end on time, all of them, and their BYEs leave as the limits allow. One
// that is busy is ended when it is free.
func TestEndBeforeBye(t *testing.T) {
	inEnderLab(t, refresher.Limits{PerSecond: 1000, Unanswered: 5}, func(e *ender) {
		e.busy = 1
		e.answer = always(200)
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
			d := call(name, 90*time.Second)
			d.Session.Refresher = sessiontimer.Peer
			e.create(d)
		}
		_, ends := e.run(2 * time.Minute)
		for i, at := range ends {
			want := time.Minute
			if i == 11 {
				want += time.Second
			}
			if at != want {
				t.Errorf("session %d of %d ended at %v, want %v", i+1, len(ends), at, want)
			}
		}
		if len(ends) != 12 || len(e.byes) != 12 {
			t.Fatalf("%d sessions ended, %d BYEs, want 12", len(ends), len(e.byes))
		}
		for i, want := range []time.Duration{60, 60, 60, 60, 60, 62, 62, 62, 62, 62, 64, 64} {
			if late := e.byes[i] - want*time.Second; late < 0 || late > 200*time.Millisecond {
				t.Errorf("BYE %d at %v, want it at %d s", i+1, e.byes[i], want)
			}
		}
	})
}

// A refresh that finds no place until its session is over does not keep that up.
func TestEndOfWaitingRefresh(t *testing.T) {
	inEnderLab(t, refresher.Limits{PerSecond: 10, Unanswered: 1}, func(e *ender) {
		e.answer = always(0)
		e.calls(100, 90*time.Second)
		e.run(2 * time.Minute)
		last := e.hangups[len(e.hangups)-1]
		if len(e.hangups) != 100 || last > 90*time.Second {
			t.Errorf("%d of 100 sessions ended, the last at %v; want all by their expiry, 1m30s", len(e.hangups), last)
		}
	})
}

package refresher_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// inSilentLab is inLab with a store below that of the lab, whose changes the refresher does
// not hear of.
func inSilentLab(t *testing.T, f func(l *lab, silent *dialogstore.Memory)) {
	t.Helper()
	inLab(t, func(l *lab) {
		silent := dialogstore.NewMemory()
		l.store = dialogstore.Observe(silent, l.r)
		l.r.Configure(refresher.Config{Store: l.store, Pipeline: l, Event: l.event, Logger: quiet})
		f(l, silent)
	})
}

// renew is a refresh that nobody hears of.
func renew(t *testing.T, silent *dialogstore.Memory, id dialogstore.ID) {
	t.Helper()
	_, _, err := silent.Update(context.Background(), id, func(d dialogstore.Dialog) (dialogstore.State, error) {
		d.Version++
		d.Session.Since = time.Now()
		return d.State, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A session that turns out to be another one than was scheduled is scheduled anew, when it
// is to be refreshed and when it is to be ended.
func TestSupersededUnheard(t *testing.T) {
	inSilentLab(t, func(l *lab, silent *dialogstore.Memory) {
		l.answer = func(_ *lab, n int, _ dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
			if n == 1 {
				return 0, refresher.ErrSuperseded
			}
			return 200, nil
		}
		d := l.create(call("refresh", 70*time.Second))
		time.Sleep(20 * time.Second)
		renew(t, silent, d.ID)
		attempts, hangups := l.run(60 * time.Second)
		if want := []attempt{{35 * time.Second, update}, {55 * time.Second, update}}; !slices.Equal(attempts, want) || len(hangups) != 0 {
			t.Errorf("refreshed at %v, hung up at %v; want %v and no hang-up", attempts, hangups, want)
		}
	})
	inSilentLab(t, func(l *lab, silent *dialogstore.Memory) {
		var log bytes.Buffer
		l.r.Configure(refresher.Config{Store: l.store, Pipeline: l, Event: l.event, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		d := call("end", 54*time.Second)
		d.Session.Refresher = sessiontimer.Peer
		l.create(d)
		time.Sleep(30 * time.Second)
		renew(t, silent, d.ID)
		if _, hangups := l.run(40 * time.Second); !slices.Equal(hangups, []time.Duration{66 * time.Second}) {
			t.Errorf("hung up at %v, want a margin before the end of the other session", hangups)
		}
		if log.Len() > 0 {
			t.Errorf("logged %s; want nothing, since nothing is tried again", log.String())
		}
	})
}

// A dialog that is not in the store is forgotten, and one that the application has dropped
// is hung up at once.
func TestRefreshOfNone(t *testing.T) {
	for _, c := range []struct {
		err     error
		hangups []time.Duration
		reason  sessiontimer.Reason
	}{
		{dialogstore.ErrNotFound, nil, sessiontimer.Reason{}},
		{refresher.ErrGone, []time.Duration{45 * time.Second}, sessiontimer.Reason{Cause: sessiontimer.CauseDialogClosed}},
	} {
		inLab(t, func(l *lab) {
			l.answer = func(*lab, int, dialogstore.Dialog, sessiontimer.Method) (int, error) { return 0, c.err }
			l.create(call("none", 90*time.Second))
			attempts, hangups := l.run(2 * time.Minute)
			if len(attempts) != 1 || !slices.Equal(hangups, c.hangups) || len(l.failed) != 0 || l.r.Len() != 0 {
				t.Errorf("%v: tried %v, hung up at %v, failures %v, %d left; want one attempt, hung up at %v", c.err, attempts, hangups, l.failed, l.r.Len(), c.hangups)
			}
			if len(hangups) == 1 && l.reasons[0] != c.reason.String() {
				t.Errorf("%v: the reason is %s, want %s", c.err, l.reasons[0], c.reason)
			}
		})
	}
}

// The plan has the response to the attempt that failed last, until the session is refreshed.
func TestStatusOfPlan(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = onceThen(503)
		d := l.create(call("status", 90*time.Second))
		for _, c := range []struct {
			at               time.Duration
			status, attempts int
		}{{44 * time.Second, 0, 0}, {46 * time.Second, 503, 1}, {65 * time.Second, 0, 0}} {
			l.run(time.Until(l.start.Add(c.at)))
			now, err := l.store.Load(context.Background(), d.ID)
			if p := l.r.Plan(&now); err != nil || p.Status != c.status || p.Attempts != c.attempts {
				t.Errorf("after %v: %+v, %v; want status %d after %d attempts", c.at, p, err, c.status, c.attempts)
			}
		}
	})
}

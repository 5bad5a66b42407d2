package refresher_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// failing is a lab in which some ends fail first.
type failing struct {
	*lab
	errs []error
}

// End implements refresher.Pipeline.
func (f *failing) End(ctx context.Context, id dialogstore.ID, s sessiontimer.Session, reason sessiontimer.Reason) (func(context.Context), error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, err
	}
	return f.lab.End(ctx, id, s, reason)
}

// An end that fails is tried again each second. That is logged, unless the dialog was only
// busy.
func TestEndFails(t *testing.T) {
	inLab(t, func(l *lab) {
		var log bytes.Buffer
		f := &failing{l, []error{refresher.ErrBusy, errors.New("disk full")}}
		l.r.Configure(refresher.Config{Store: l.store, Pipeline: f, Event: l.event, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		d := call("end", 90*time.Second)
		d.Session.Refresher = sessiontimer.Peer
		l.create(d)
		if _, hangups := l.run(2 * time.Minute); !slices.Equal(hangups, []time.Duration{62 * time.Second}) {
			t.Errorf("hung up at %v, want two seconds late", hangups)
		}
		want := `level=WARN msg="cannot end the session, will try again" call_id=end local_tag=l remote_tag=r error="disk full"` + "\n"
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, want) {
			t.Errorf("logged %s; want %s alone", got, want)
		}
	})
}

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

// A session that ends while the refresh of the one before is under way gives that up.
func TestEndGivesUpRefresh(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = always(0)
		d := l.create(call("shorter", 1800*time.Second))
		time.Sleep(901 * time.Second)
		_, _, err := l.store.Update(context.Background(), d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
			d.Session = sessiontimer.Session{Interval: 90 * time.Second, Refresher: sessiontimer.Peer, Since: time.Now().Add(-50 * time.Second)}
			return d.State, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		l.run(9 * time.Second)
		if n := l.r.Stats().Unanswered; n != 1 {
			t.Errorf("%d refreshes are under way before the end, want one", n)
		}
		_, hangups := l.run(time.Second)
		if n := l.r.Stats().Unanswered; n != 0 || !slices.Equal(hangups, []time.Duration{911 * time.Second}) {
			t.Errorf("hung up at %v, %d refreshes are under way; want the hang-up at 911 s and none", hangups, n)
		}
	})
}

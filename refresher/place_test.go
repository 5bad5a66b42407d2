package refresher_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// stuck is a pipeline and a logger that block for the dialog with the tag "stuck" until free is
// closed.
type stuck struct {
	t         *testing.T
	store     *dialogstore.Observed
	free      chan struct{}
	leaves    bool // its place, before it gets stuck
	refreshes []time.Time
	hangups   []time.Time
}

func (s *stuck) block(id dialogstore.ID) {
	if id.LocalTag == "stuck" {
		<-s.free
	}
}

// Refresh implements refresher.Pipeline.
func (s *stuck) Refresh(ctx context.Context, id dialogstore.ID, _ refresher.Attempt) refresher.Outcome {
	if s.leaves {
		refresher.LeavePlace(ctx)
	}
	s.block(id)
	s.refreshes = append(s.refreshes, time.Now())
	_, _, err := s.store.Update(ctx, id, func(d dialogstore.Dialog) (dialogstore.State, error) {
		d.Session.Since = time.Now()
		return d.State, nil
	})
	return refresher.Outcome{Status: 200, Err: err}
}

// End implements refresher.Pipeline.
func (s *stuck) End(ctx context.Context, id dialogstore.ID, _ sessiontimer.Session, _ sessiontimer.Reason) (func(context.Context), error) {
	if id.LocalTag == "stuck" {
		return nil, errors.New("of the test")
	}
	s.hangups = append(s.hangups, time.Now())
	_, err := s.store.Delete(ctx, id)
	return nil, err
}

// Enabled implements slog.Handler.
func (s *stuck) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (s *stuck) Handle(context.Context, slog.Record) error {
	<-s.free
	return nil
}

// WithAttrs implements slog.Handler.
func (s *stuck) WithAttrs([]slog.Attr) slog.Handler { return s }

// WithGroup implements slog.Handler.
func (s *stuck) WithGroup(string) slog.Handler { return s }

// inStuck runs two dialogs of 100 s, the first of which gets stuck, with one place.
func inStuck(t *testing.T, leaves bool, who sessiontimer.Refresher, f func(*stuck)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		r := refresher.New()
		s := &stuck{t: t, free: make(chan struct{}), leaves: leaves, store: dialogstore.Observe(dialogstore.NewMemory(), r)}
		r.Configure(refresher.Config{Store: s.store, Pipeline: s, Event: func(sessiontimer.Event) {}, Logger: slog.New(s),
			Limits: refresher.Limits{PerSecond: 100, Unanswered: 1}})
		for _, tag := range []string{"stuck", "well"} {
			d := call("c", 100*time.Second)
			d.LocalTag, d.Session.Refresher, d.Session.Since = tag, who, time.Now()
			if err := s.store.Create(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		f(s)
		close(s.free)
		synctest.Wait()
		r.Close()
	})
}

// A pipeline that leaves its place before it waits for the application does not make other
// dialogs wait; one that does not leave it does.
func TestLeavePlace(t *testing.T) {
	for _, leaves := range []bool{true, false} {
		inStuck(t, leaves, sessiontimer.Local, func(s *stuck) {
			time.Sleep(50 * time.Second)
			synctest.Wait()
			if got := len(s.refreshes) == 1; got != leaves {
				t.Errorf("leaving its place: %v; the other dialog is refreshed in time: %v", leaves, got)
			}
		})
	}
}

// A logger that blocks stops the hang-up that it logs, and no other.
func TestBlockingLogger(t *testing.T) {
	inStuck(t, true, sessiontimer.Peer, func(s *stuck) {
		time.Sleep(70 * time.Second)
		synctest.Wait()
		if len(s.hangups) != 1 {
			t.Errorf("%d hang-ups, want that of the other dialog in time", len(s.hangups))
		}
	})
}

package refresher_test

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// exiting is a pipeline whose goroutine the application ends, by runtime.Goexit, for the dialog
// with the tag "exits": in its refresh, or in its BYE.
type exiting struct {
	store  *dialogstore.Observed
	others []time.Time // when the other dialog was refreshed, or got its BYE
}

// Refresh implements refresher.Pipeline.
func (e *exiting) Refresh(_ context.Context, id dialogstore.ID, _ refresher.Attempt) refresher.Outcome {
	if id.LocalTag == "exits" {
		time.Sleep(time.Second)
		runtime.Goexit()
	}
	e.others = append(e.others, time.Now())
	return refresher.Outcome{Status: 200}
}

// End implements refresher.Pipeline.
func (e *exiting) End(ctx context.Context, id dialogstore.ID, _ sessiontimer.Session, _ sessiontimer.Reason) (func(context.Context), error) {
	_, err := e.store.Delete(ctx, id)
	return func(context.Context) {
		if id.LocalTag == "exits" {
			time.Sleep(time.Second)
			runtime.Goexit()
		}
		e.others = append(e.others, time.Now())
	}, err
}

// A goroutine that the application ends gives its place back, and what waits for that begins at
// once.
func TestGoexitLeavesPlace(t *testing.T) {
	for _, c := range []struct {
		what string
		who  sessiontimer.Refresher
		due  time.Duration
	}{
		{"refresh", sessiontimer.Local, 50 * time.Second},
		{"BYE", sessiontimer.Peer, 68 * time.Second},
	} {
		t.Run(c.what, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r, e := refresher.New(), new(exiting)
				e.store = dialogstore.Observe(dialogstore.NewMemory(), r)
				r.Configure(refresher.Config{Store: e.store, Pipeline: e, Event: func(sessiontimer.Event) {}, Logger: slog.New(slog.DiscardHandler),
					Limits: refresher.Limits{PerSecond: 100, Unanswered: 1}})
				defer r.Close()
				begin := time.Now()
				for i, tag := range []string{"exits", "waits"} {
					d := call("c", 100*time.Second)
					d.LocalTag, d.Session.Refresher, d.Session.Since = tag, c.who, begin.Add(time.Duration(i)*time.Millisecond)
					if err := e.store.Create(t.Context(), d); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(c.due + 10*time.Second)
				synctest.Wait()
				if want := begin.Add(c.due + time.Second); len(e.others) != 1 || !e.others[0].Equal(want) {
					t.Errorf("begun at %v, want once, at %v", e.others, want)
				}
			})
		})
	}
}

// A call whose handler ends the goroutine of a refresh is refreshed again: after a pause where
// that was the end of the attempt or came with its failure, and in the next session where the
// attempt had renewed the session before.
func TestGoexitRefreshesAgain(t *testing.T) {
	const refused, renewed = 500, 200
	for _, c := range []struct {
		what   string
		status int // of the refresh; 0: it ends before there is a response
		want   []time.Duration
	}{
		{"before the response", 0, []time.Duration{30 * time.Second, 34 * time.Second}},
		{"told of the failure", refused, []time.Duration{30 * time.Second, 34 * time.Second}},
		{"after the session was renewed", renewed, []time.Duration{30 * time.Second, 60 * time.Second}},
	} {
		t.Run(c.what, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.answer = func(l *lab, n int, d dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
					switch {
					case n > 1:
						return 200, nil
					case c.status == refused:
						return refused, nil
					case c.status == renewed:
						l.refreshed(context.Background(), d.ID)
					}
					runtime.Goexit()
					panic("unreachable")
				}
				l.failing = runtime.Goexit
				l.create(call("exits", 60*time.Second))
				attempts, hangups := l.run(c.want[1] + time.Second)
				var at []time.Duration
				for _, a := range attempts {
					at = append(at, a.at)
				}
				if !slices.Equal(at, c.want) || len(hangups) > 0 {
					t.Errorf("refreshed at %v, hung up at %v; want refreshes at %v and no hang-up", at, hangups, c.want)
				}
			})
		})
	}
}

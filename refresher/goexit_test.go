package refresher_test

import (
	"context"
	"log/slog"
	"runtime"
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

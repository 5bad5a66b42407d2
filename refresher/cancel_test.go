package refresher_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// cancelling is a pipeline that cancels the attempts for the dialog with the tag "ended".
type cancelling struct {
	mu   sync.Mutex
	errs map[string]error // of the contexts of all attempts, by tag
}

// Refresh implements refresher.Pipeline.
func (c *cancelling) Refresh(ctx context.Context, id dialogstore.ID, a refresher.Attempt) refresher.Outcome {
	if id.LocalTag == "ended" {
		a.Cancel()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs[id.LocalTag] = ctx.Err()
	return refresher.Outcome{Err: ctx.Err()}
}

// End implements refresher.Pipeline.
func (*cancelling) End(context.Context, dialogstore.ID, sessiontimer.Session, sessiontimer.Reason) (func(context.Context), error) {
	return nil, nil
}

// Cancel ends the context of its own attempt and of no other, and is no failure of the peer.
func TestAttemptCancel(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r, c := refresher.New(), &cancelling{errs: make(map[string]error)}
		store := dialogstore.Observe(dialogstore.NewMemory(), r)
		r.Configure(refresher.Config{Store: store, Pipeline: c, Logger: slog.New(slog.DiscardHandler), Event: func(e sessiontimer.Event) {
			if f, ok := e.(sessiontimer.RefreshFailed); ok && f.LocalTag == "ended" {
				t.Errorf("the application is told %#v", e)
			}
		}})
		defer r.Close()
		for _, tag := range []string{"ended", "other"} {
			d := call("c", 100*time.Second)
			d.LocalTag, d.Session.Refresher, d.Session.Since = tag, sessiontimer.Local, time.Now()
			if err := store.Create(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(50 * time.Second)
		synctest.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		if !errors.Is(c.errs["ended"], context.Canceled) || c.errs["other"] != nil || len(c.errs) != 2 {
			t.Errorf("contexts ended with %v, want that of the first cancelled", c.errs)
		}
	})
}

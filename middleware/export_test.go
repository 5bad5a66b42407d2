package middleware

import (
	"context"
	"sync/atomic"

	"github.com/emiago/sipgo"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// Left is what t still holds for calls: sets of dialogs in flight, dialogs that the
// refresher watches, and dialogs in the store.
func (t *Timers) Left() (sets, watched, stored int) {
	for range t.calls.Store.All(context.Background()) {
		stored++
	}
	return t.calls.Sets.Len(), t.refresher.Len(), stored
}

// SetHost and Handler are those of the Adapter.
func (t *Timers) SetHost(h Host) { t.setHost(h) }

// Handler wraps next.
func (t *Timers) Handler(next sipgo.RequestHandler) sipgo.RequestHandler { return t.handler(next) }

// Store is the store of t.
func (t *Timers) Store() dialogstore.Store { return t.calls.Store }

// Remembered is the number of requests that t remembers for its calls.
func (t *Timers) Remembered() int { return t.calls.Sets.Remembered() }

// Counts is how often a store was read and written.
type Counts struct{ Loads, Commits atomic.Int32 }

// Count counts what t does in its store from now on.
func (t *Timers) Count() *Counts {
	c := new(Counts)
	t.calls.Store = dialogstore.Observe(counting{t.calls.Store, c})
	t.refresher.Configure(refresher.Config{Store: t.calls.Store, Pipeline: t.client, Event: t.calls.Tell, Logger: t.log,
		Jitter: t.opts.jitter, Limits: t.opts.limits})
	return c
}

type counting struct {
	*dialogstore.Observed
	counts *Counts
}

// Load implements dialogstore.Store.
func (c counting) Load(ctx context.Context, id dialogstore.ID) (dialogstore.Dialog, error) {
	c.counts.Loads.Add(1)
	return c.Observed.Load(ctx, id)
}

// Update implements dialogstore.Store.
func (c counting) Update(ctx context.Context, id dialogstore.ID, change func(dialogstore.Dialog) (dialogstore.State, error)) (before, after dialogstore.Dialog, err error) {
	c.counts.Commits.Add(1)
	return c.Observed.Update(ctx, id, change)
}

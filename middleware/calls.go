package middleware

import (
	"context"
	"iter"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// Call is a snapshot of one call. Its slices are shared and read-only.
type Call struct {
	// Dialog is the stored dialog. Session has the times of the timer, Policy our side of
	// the negotiation, LastMethod the request that last set the timer, and Began the
	// beginning of the call.
	dialogstore.Dialog
	// Plan is the next thing that the timers do in the call.
	Plan refresher.Plan
	// From is the name of the node that served the call before; after a restart, the name
	// of this node. Empty if the call was not taken over.
	From string
	// Unreachable is set if the call was taken over and its peer could not be reached.
	Unreachable bool
}

// Calls yields all calls, in no particular order, until ctx ends. A call that begins or
// ends meanwhile may or may not appear; each call is a consistent snapshot. No lock is
// held while the body of the loop runs, which may take any time. A million calls take
// about a second; to count calls, use Stats.
func (t *Timers) Calls(ctx context.Context) iter.Seq[Call] {
	return func(yield func(Call) bool) {
		for d, err := range t.calls.Store.All(ctx) {
			if err != nil || !yield(t.callOf(d)) {
				return
			}
		}
	}
}

// Call returns one call, or an error that wraps dialogstore.ErrNotFound.
func (t *Timers) Call(ctx context.Context, id dialogstore.ID) (Call, error) {
	d, err := t.calls.Store.Load(ctx, id)
	if err != nil {
		return Call{}, err
	}
	return t.callOf(d), nil
}

func (t *Timers) callOf(d dialogstore.Dialog) Call {
	c := Call{Dialog: d, Plan: t.refresher.Plan(&d)}
	c.From, c.Unreachable = t.calls.TakenOver(d.ID)
	return c
}

package middleware

import (
	"context"
	"iter"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// Call is a call as it is at one moment. It is a copy: only read it, since its slices are
// shared.
type Call struct {
	// Dialog is what is stored. Session has the times of the timer, Policy what we asked
	// for, LastMethod the request that settled the session, and Began the age of the call.
	dialogstore.Dialog
	// Plan is what comes next.
	Plan refresher.Plan
	// From names the node that served the call before this one, after a restart the
	// node itself. Empty if the call was not taken over.
	From string
	// Unreachable says that the peer of a call that was taken over could not be reached.
	Unreachable bool
}

// Calls yields all calls, in no order, until ctx ends. A call that begins, changes or ends
// meanwhile may or may not appear, but never half changed. No lock is held while the
// loop runs, which may take as long as it likes. With a million calls it takes about a
// second: for how many there are, ask Stats.
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

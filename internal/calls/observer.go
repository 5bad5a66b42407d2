package calls

import (
	"context"
	"log/slog"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Observer returns an observer that counts the changes of the store, and raises events for
// them.
func (c *Calls) Observer() dialogstore.Observer { return observer{c} }

type observer struct{ c *Calls }

// Quietly is the context of a change that raises no event.
var Quietly = context.WithValue(context.Background(), quietKey{}, true)

type quietKey struct{}

// DialogChanged implements dialogstore.Observer.
func (o observer) DialogChanged(ctx context.Context, c *dialogstore.Change) {
	o.c.Count(c)
	if c.Deleted() {
		o.c.adopted.forget(c.Before.ID)
	}
	switch {
	case ctx.Value(quietKey{}) != nil:
		return
	case c.Created():
		o.log("session timer negotiated", &c.After)
		o.c.countNegotiated(&c.After)
	case c.Deleted():
		o.log("session ended", &c.Before)
	case !c.Before.Session.Equal(c.After.Session):
		o.log("session refreshed", &c.After)
	default:
		return
	}
	if o.c.heard() {
		o.c.Tell(event(ctx, c))
	}
}

// Negotiated raises the event for a dialog that was created with Quietly.
func (c *Calls) Negotiated(d *dialogstore.Dialog) {
	observer{c}.log("session timer negotiated", d)
	c.countNegotiated(d)
	if c.heard() {
		c.Tell(sessiontimer.Negotiated{Call: d.Call(time.Now())})
	}
}

// heard reports whether anybody gets events.
func (c *Calls) heard() bool { return c.config.OnEvent != nil || c.listeners.any() }

// event returns the event for a change of a session.
func event(ctx context.Context, c *dialogstore.Change) sessiontimer.Event {
	now := time.Now()
	switch {
	case c.Created():
		return sessiontimer.Negotiated{Call: c.After.Call(now)}
	case c.Deleted():
		why, _ := ctx.Value(reasonKey{}).(sessiontimer.Reason)
		return sessiontimer.Ended{Call: c.Before.Call(now), Reason: why}
	}
	return sessiontimer.Refreshed{Call: c.After.Call(now), Method: c.After.LastMethod}
}

func (o observer) log(text string, d *dialogstore.Dialog) {
	if !o.c.Log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	o.c.Log.Debug(text, "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag,
		"interval", d.Session.Interval, "refresher", d.Session.Refresher.String(), "method", d.LastMethod)
}

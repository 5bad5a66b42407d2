package middleware

import (
	"context"
	"log/slog"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// observer tells the application of what the store's changes mean.
type observer struct{ t *Timers }

// DialogChanged implements dialogstore.Observer.
func (o observer) DialogChanged(_ context.Context, c dialogstore.Change) {
	now := time.Now()
	before, after := c.Before.Session, c.After.Session
	switch {
	case c.Created():
		o.log("session timer negotiated", c.After)
		o.t.opts.onEvent(sessiontimer.Negotiated{Call: c.After.Call(now)})
	case c.Deleted():
		o.log("session ended", c.Before)
		o.t.opts.onEvent(sessiontimer.Ended{Call: c.Before.Call(now)})
	case !before.Equal(after):
		o.log("session refreshed", c.After)
		o.t.opts.onEvent(sessiontimer.Refreshed{Call: c.After.Call(now), Method: c.After.LastMethod})
	}
}

func (o observer) log(text string, d dialogstore.Dialog) {
	if !o.t.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	o.t.log.Debug(text, "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag,
		"interval", d.Session.Interval, "refresher", d.Session.Refresher.String(), "method", d.LastMethod)
}

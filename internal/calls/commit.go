package calls

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// Renew updates a stored dialog, and returns it as it was before. It returns false if the
// dialog has ended, or after an error, which is logged.
func (c *Calls) Renew(ctx context.Context, id dialogstore.ID, change func(dialogstore.Dialog) dialogstore.State) (before dialogstore.Dialog, ok bool) {
	before, _, err := c.Store.Update(ctx, id, func(d dialogstore.Dialog) (dialogstore.State, error) { return change(d), nil })
	if err != nil && !errors.Is(err, dialogstore.ErrNotFound) {
		c.Log.Error("cannot update the dialog in the store", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag, "error", err)
	}
	return before, err == nil
}

// Stored is called with the result of creating d in the store. It logs the error, and deletes
// d again if the dialog has ended meanwhile. It does not create d itself, to save stack: a
// Dialog is large.
func (c *Calls) Stored(ctx context.Context, s *dialogset.Set, d *dialogstore.Dialog, err error) {
	if err != nil {
		c.Log.Error("cannot store the dialog: the call has no session timer", "call_id", d.CallID, "local_tag", d.LocalTag,
			"remote_tag", d.RemoteTag, "error", err)
		return
	}
	if !s.Lives(d.RemoteTag) {
		c.remove(ctx, d.ID, s.Of(d.RemoteTag).EndedFor())
	}
}

// Ended deletes a dialog that the application or the peer has ended.
func (c *Calls) Ended(ctx context.Context, s *dialogset.Set, remoteTag string, cause sessiontimer.Cause) {
	why := sessiontimer.Reason{Cause: cause}
	first, last := s.End(remoteTag, false, why)
	if !first {
		return
	}
	c.remove(ctx, s.ID(remoteTag), why)
	if last {
		c.Sets.DropLater(s)
	}
}

// End ends a dialog on our side, and returns it as it was. It raises the event Expired at
// once. The application gets a BYE when the caller closes sent, after it has sent its BYE to
// the peer, or after T1 at the latest. End returns false if the dialog has ended before.
func (c *Calls) End(ctx context.Context, s *dialogset.Set, remoteTag string, reason sessiontimer.Reason, sent <-chan struct{}) (d dialogstore.Dialog, ok bool) {
	d, err := c.Store.Load(Detached(ctx), s.ID(remoteTag))
	if err != nil {
		return d, false
	}
	if first, last := s.End(remoteTag, true, reason); !first {
		return d, false
	} else if last {
		c.Sets.DropLater(s)
	}
	c.Log.Info("ending the call", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag,
		"interval", d.Session.Interval, "refresher", d.Session.Refresher.String(), "expires", d.Session.ExpiresAt(), "reason", reason.String())
	c.countsOf(&d).expired[reason.Cause].Add(1)
	// An event handler may end its goroutine, by runtime.Goexit. So it gets one of its own:
	// the call ends, and the caller sends the BYE, all the same.
	told := make(chan struct{})
	c.Workers.Run(func() {
		defer close(told)
		defer c.remove(Detached(ctx), d.ID, reason)
		defer func() {
			if !c.Orphan(d.ID) {
				c.endApplication(d, reason, sent)
			}
		}()
		c.Tell(sessiontimer.Expired{Call: d.Call(time.Now()), Reason: reason})
	})
	<-told
	return d, true
}

// reasonKey is the key of the sessiontimer.Reason in the context of a deletion. The observer
// reads it for the event Ended.
type reasonKey struct{}

func (c *Calls) remove(ctx context.Context, id dialogstore.ID, why sessiontimer.Reason) {
	ctx = context.WithValue(ctx, reasonKey{}, why)
	if _, err := c.Store.Delete(ctx, id); err != nil && !errors.Is(err, dialogstore.ErrNotFound) {
		c.Log.Error("cannot delete the dialog from the store", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag, "error", err)
	}
}

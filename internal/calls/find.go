package calls

import (
	"context"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// SetOf returns the set of a dialog; nil if there is none. For a dialog that only the store
// has, because it was idle or another process began it, the set is made. This works even if
// ctx is done: sipgo sends such a request too, and it needs its CSeq.
func (c *Calls) SetOf(ctx context.Context, id dialogstore.ID) *dialogset.Set {
	s := c.Sets.Find(id.CallID, id.LocalTag)
	if s != nil && s.Dialog(id.RemoteTag) != nil {
		return s
	}
	if resumed := c.resume(Detached(ctx), id); resumed != nil {
		return resumed
	}
	return s
}

// DialogOf returns the dialog itself; nil if there is none. See SetOf.
func (c *Calls) DialogOf(ctx context.Context, id dialogstore.ID) *dialogset.Dialog {
	if s := c.SetOf(ctx, id); s != nil {
		return s.Dialog(id.RemoteTag)
	}
	return nil
}

// resume makes the set of a stored dialog. It is not part of SetOf, which runs for each
// message, to save stack: a Dialog is large.
func (c *Calls) resume(ctx context.Context, id dialogstore.ID) *dialogset.Set {
	d, err := c.Store.Load(ctx, id)
	if err != nil {
		return nil
	}
	s, _ := c.Sets.Resume(&d)
	return s
}

// AwaitCommit waits until the effects of a message that we are sending within d are
// committed: the peer may have received it already and react to it. d may be nil. It waits
// for 64*T1 at most; a stream whose writes take longer is stuck.
func (c *Calls) AwaitCommit(d *dialogset.Dialog) {
	if d == nil || !d.Uncommitted() {
		return
	}
	ctx, stop := context.WithTimeout(c.Context, 64*sip.T1)
	defer stop()
	d.AwaitCommit(ctx)
}

package calls

import (
	"context"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// SetOf finds the set of a dialog, also of one that only the store knows, since it
// was idle or another process began it; nil if there is none. A ctx that is done
// changes nothing: sipgo sends such a request too, and it must be numbered.
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

// DialogOf is SetOf for the dialog itself.
func (c *Calls) DialogOf(ctx context.Context, id dialogstore.ID) *dialogset.Dialog {
	if s := c.SetOf(ctx, id); s != nil {
		return s.Dialog(id.RemoteTag)
	}
	return nil
}

// resume makes the set of a dialog anew. It is apart from SetOf, which each message
// passes, for the stack that a Dialog takes.
func (c *Calls) resume(ctx context.Context, id dialogstore.ID) *dialogset.Set {
	d, err := c.Store.Load(ctx, id)
	if err != nil {
		return nil
	}
	s, _ := c.Sets.Resume(d)
	return s
}

// AwaitCommit waits until what we sent within d is committed, which the peer may know
// already; d may be nil. No write takes longer than a transaction lives, or the stream
// is stuck.
func (c *Calls) AwaitCommit(d *dialogset.Dialog) {
	if d == nil || !d.Uncommitted() {
		return
	}
	ctx, stop := context.WithTimeout(c.Context, 64*sip.T1)
	defer stop()
	d.AwaitCommit(ctx)
}

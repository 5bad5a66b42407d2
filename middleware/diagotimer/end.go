package diagotimer

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// session is what ends a dialog of diago, in every version of it.
type session interface {
	ReadBye(*sip.Request, sip.ServerTransaction) error
	Close() error
}

// byeHandler ends a dialog as diago does when the peer hangs up.
func byeHandler(dg *diago.Diago) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		ctx := context.Background()
		if id, err := sip.DialogIDFromRequestUAS(req); err == nil {
			if d, err := dg.DialogCacheServer().DialogLoad(ctx, id); err == nil {
				hungUp(d, req, tx)
				return
			}
		}
		if id, err := sip.DialogIDFromRequestUAC(req); err == nil {
			if d, err := dg.DialogCacheClient().DialogLoad(ctx, id); err == nil {
				hungUp(d, req, tx)
			}
		}
	}
}

// hungUp tells a dialog of its end. Where a dialog is its media too, before diago
// v0.42, the peer's BYE closes these alone; the rest is the application's.
func hungUp(d session, req *sip.Request, tx sip.ServerTransaction) {
	_ = d.ReadBye(req, tx)
	if m, ok := d.(interface{ Media() *diago.DialogMedia }); ok {
		_ = m.Media().Close()
		return
	}
	_ = d.Close()
}

// gone reports whether the application has closed a dialog without hanging up.
// Such a dialog leaves diago's cache, but for one that it made itself: since
// v0.42 that stays until it has ended.
func gone(dg *diago.Diago) func(dialogstore.Dialog) bool {
	return func(d dialogstore.Dialog) bool {
		ctx := context.Background()
		if in, err := dg.DialogCacheServer().DialogLoad(ctx, sip.DialogIDMake(d.CallID, d.LocalTag, d.RemoteTag)); err == nil {
			return closed(in)
		}
		out, err := dg.DialogCacheClient().DialogLoad(ctx, sip.DialogIDMake(d.CallID, d.RemoteTag, d.LocalTag))
		if err != nil {
			return errors.Is(err, sipgo.ErrDialogDoesNotExists)
		}
		return closed(out)
	}
}

// closed reports whether Close was called on a dialog.
func closed(dialog any) bool {
	field, err := inside[atomic.Uint32](dialog, "closed")
	return err == nil && field.Load() != 0
}

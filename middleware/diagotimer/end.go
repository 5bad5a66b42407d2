package diagotimer

import (
	"context"
	"errors"

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
		if d := cameIn(dg, req); d != nil {
			hungUp(d, req, tx)
			return
		}
		if id, err := sip.DialogIDFromRequestUAC(req); err == nil {
			if d, err := dg.DialogCacheClient().DialogLoad(context.Background(), id); err == nil {
				hungUp(d, req, tx)
			}
		}
	}
}

// cameIn is the call of a request, if it came in.
func cameIn(dg *diago.Diago, req *sip.Request) *diago.DialogServerSession {
	id, err := sip.DialogIDFromRequestUAS(req)
	if err != nil {
		return nil
	}
	d, err := dg.DialogCacheServer().DialogLoad(context.Background(), id)
	if err != nil {
		return nil
	}
	return d
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

// gone reports whether the application has dropped a dialog without hanging up, as
// far as diago's caches say so: a call that came in leaves them when its handler
// returns, one that went out when it has ended, and before v0.42 when it is closed.
func gone(dg *diago.Diago) func(dialogstore.Dialog) bool {
	return func(d dialogstore.Dialog) bool {
		ctx := context.Background()
		if _, err := dg.DialogCacheServer().DialogLoad(ctx, sip.DialogIDMake(d.CallID, d.LocalTag, d.RemoteTag)); err == nil {
			return false
		}
		_, err := dg.DialogCacheClient().DialogLoad(ctx, sip.DialogIDMake(d.CallID, d.RemoteTag, d.LocalTag))
		return errors.Is(err, sipgo.ErrDialogDoesNotExists)
	}
}

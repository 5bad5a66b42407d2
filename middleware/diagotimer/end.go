package diagotimer

import (
	"context"
	"errors"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// session has the methods that end a dialog in every version of diago.
type session interface {
	ReadBye(*sip.Request, sip.ServerTransaction) error
	Close() error
}

// byeHandler returns a handler that ends a dialog as diago does when the peer hangs up.
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

// cameIn returns the call of a request if it is an incoming one.
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

// hungUp ends a dialog. Before diago v0.42, where a dialog is its own media, the peer's
// BYE closes only the media; the application closes the rest.
func hungUp(d session, req *sip.Request, tx sip.ServerTransaction) {
	_ = d.ReadBye(req, tx)
	if m, ok := d.(interface{ Media() *diago.DialogMedia }); ok {
		_ = m.Media().Close()
		return
	}
	_ = d.Close()
}

// gone returns a function that reports whether the application has dropped a dialog
// without hanging up, as far as diago's caches show it: an incoming call leaves them when
// its handler returns, an outgoing one when it has ended, or before v0.42 when it is
// closed.
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

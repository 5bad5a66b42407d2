package middleware

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// forked remembers a 2xx to an INVITE of ours from another party than the first one.
// Each makes a dialog with a timer of its own (RFC 4028 §7.2), but only for an
// application that takes it: refreshing the others would keep calls up that nobody
// knows of.
func (x *exchange) forked(res *sip.Response) {
	tag, at := sipmsg.ToTag(res), time.Now()
	if x.remoteTag != "" || !x.req.IsInvite() || !res.IsSuccess() || tag == "" || sipmsg.Keepable(res) != nil {
		return
	}
	x.dialogs.Fork(tag, func(ctx context.Context) { x.r.t.settleFirst(ctx, x, res, sipmsg.Fields(res, x.policy), at) })
}

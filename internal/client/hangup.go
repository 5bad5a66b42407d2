package client

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// End implements refresher.Pipeline.
func (c *Client) End(ctx context.Context, id dialogstore.ID, s sessiontimer.Session, reason sessiontimer.Reason) (bye func(context.Context), err error) {
	d, err := c.load(ctx, id, s)
	if err != nil {
		return nil, err
	}
	set, m := c.calls.Sets.Resume(&d)
	busy, unconfirmed := m.Busy()
	// A request that is still unanswered, of either side, may refresh the session: wait
	// for it, unless the session has expired.
	if busy && time.Now().Before(s.ExpiresAt()) {
		return nil, refresher.ErrBusy
	}
	// RFC 3261 §15: no BYE before the ACK of our 2xx has come or is overdue. If nothing
	// proves by then that the peer is there, no BYE at all.
	if unconfirmed || m.Unproved() {
		return nil, refresher.ErrBusy
	}
	if reason.Cause == sessiontimer.CauseExpired && c.doubtful(id, s) {
		return nil, refresher.ErrBusy
	}
	key, over := c.ownership.Key(id), over(s, reason)
	if !c.ownership.MayHangUp(ctx, key, over) {
		return nil, refresher.ErrBusy // we do not know whether the call is ours, or it was just released
	}
	return c.end(ctx, set, id.RemoteTag, reason, key, toHangUp(over)), nil
}

// doubtful reports whether the peer may have refreshed s at a former owner of the call. The
// peer is asked then, and has until s expires to answer.
func (c *Client) doubtful(id dialogstore.ID, s sessiontimer.Session) bool {
	doubtful, first := c.calls.Doubtful(id, s)
	if first {
		c.calls.Ask(id)
	}
	return doubtful && time.Now().Before(s.ExpiresAt())
}

// over reports whether the call is over for the peer, no matter which node owns it: the
// session has expired, or the peer has answered 408 or 481.
func over(s sessiontimer.Session, reason sessiontimer.Reason) bool {
	return saysOver(reason) || s.Active() && !time.Now().Before(s.ExpiresAt())
}

// saysOver reports whether the peer has said so.
func saysOver(reason sessiontimer.Reason) bool {
	return reason.Status == sip.StatusRequestTimeout || reason.Status == sip.StatusCallTransactionDoesNotExists
}

// Hangup ends a call that this node owns. It sends a BYE to the peer, and one to the
// application as if the peer had sent it. The call is over whatever the peer answers (RFC
// 3261 §15.1.1). A call that may be another node's is left alone.
func (c *Client) Hangup(ctx context.Context, set *dialogset.Set, remoteTag string, reason sessiontimer.Reason) {
	key, over := c.ownership.Key(set.ID(remoteTag)), saysOver(reason)
	if !c.ownership.MayHangUp(ctx, key, over) {
		return
	}
	if bye := c.end(ctx, set, remoteTag, reason, key, toHangUp(over)); bye != nil {
		bye(ctx)
	}
}

// end is Hangup without the BYE to the peer: it returns a function that sends that. The
// application gets its BYE at once. The function is nil if the call has ended already.
func (c *Client) end(ctx context.Context, set *dialogset.Set, remoteTag string, reason sessiontimer.Reason, key failover.Key, may permission) (bye func(context.Context)) {
	sent := make(chan struct{})
	d, ok := c.calls.End(ctx, set, remoteTag, reason, sent)
	if !ok {
		return nil
	}
	return func(ctx context.Context) { c.sendBye(ctx, set, &d, byeOf{reason, key, may}, sent) }
}

// byeOf are the parameters of a BYE of the timers.
type byeOf struct {
	reason sessiontimer.Reason
	key    failover.Key
	may    permission
}

// sendBye sends a BYE to the peer, and closes sent once it was sent or has failed. A
// goroutine waits for the answer, which may be a challenge.
func (c *Client) sendBye(ctx context.Context, set *dialogset.Set, d *dialogstore.Dialog, b byeOf, sent chan<- struct{}) {
	ctx, cancel := context.WithTimeout(ctx, stepLife())
	o, err := c.dispatchBye(ctx, set, d, b)
	close(sent)
	if err != nil {
		cancel()
		refresher.LeavePlace(ctx)
		c.calls.Log.Warn("cannot send the BYE", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag, "error", err)
		return
	}
	c.Steps.Go(func() {
		defer cancel()
		if _, err := o.await(ctx); err != nil {
			c.calls.Log.Info("the peer did not answer the BYE", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag, "error", err)
		}
	})
}

func (c *Client) dispatchBye(ctx context.Context, set *dialogset.Set, d *dialogstore.Dialog, b byeOf) (*ownRequest, error) {
	bye, err := indialog.Request(d, sip.BYE)
	if err != nil {
		return nil, err
	}
	bye.AppendHeader(calls.ReasonHeader(b.reason))
	o, err := c.newOwnRequest(set, set.Of(d.RemoteTag), d, bye, b.key, b.may)
	if err != nil {
		return nil, err
	}
	o.stays = b.reason.Cause == sessiontimer.CauseRefreshUnanswered || b.reason.Cause == sessiontimer.CauseExpired && d.Session.Refresher == sessiontimer.Local
	return o, o.send(ctx)
}

package client

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Requester is the TxRequester of one sipgo.Client: all of its requests pass through here.
type Requester struct {
	c      *Client
	client *sipgo.Client
	sentBy sip.Addr // what client writes into Via; empty if the transport layer fills it in
}

// Belongs reports whether r sends for c.
func (r *Requester) Belongs(c *Client) bool { return r.c == c }

// Request implements sipgo.ClientTransactionRequester.
func (r *Requester) Request(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	inDialog := sipmsg.ToTag(req) != ""
	if req.IsInvite() {
		r.c.invited(req)
	}
	switch {
	case sipmsg.Forwarded(req):
		return r.relay(ctx, req)
	case !inDialog && !req.IsInvite() && !req.IsCancel(), req.Via() == nil, req.CSeq() == nil:
		return r.direct(ctx, req)
	case req.IsAck():
		return nil, r.ack(ctx, req)
	case req.IsCancel():
		return r.cancel(ctx, req)
	case inDialog:
		return r.inDialog(ctx, req)
	}
	return r.firstInvite(ctx, req)
}

// direct sends as sipgo does without a requester.
func (r *Requester) direct(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	if req.IsAck() {
		return nil, r.client.TransportLayer().WriteMsg(req)
	}
	tx, err := r.open(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, err
	}
	return tx, nil
}

// open makes a transaction, with its connection open.
func (r *Requester) open(ctx context.Context, req *sip.Request) (*sip.ClientTx, error) {
	tx, err := r.client.TransactionLayer().NewClientTransaction(ctx, req)
	if err == nil && req.IsInvite() && sipmsg.ToTag(req) == "" {
		sipmsg.CompleteContact(req)
	}
	return tx, err
}

// relay sends a request that the application forwards as a proxy, as sipgo does without a
// requester. An INVITE marks its call as relayed.
func (r *Requester) relay(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	if req.IsAck() {
		return nil, r.client.TransportLayer().WriteMsg(req)
	}
	tx, err := r.client.TransactionLayer().NewClientTransaction(ctx, req)
	if err != nil {
		return nil, err
	}
	if req.IsInvite() {
		r.c.calls.Relay(req)
		tx.OnTerminate(func(string, error) {
			// The proxy may still have to send the final response to the caller.
			time.AfterFunc(dialogset.Life(), func() { r.c.calls.Relays.End(sipmsg.CallID(req)) })
		})
	}
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, err
	}
	return tx, nil
}

// firstInvite sends an INVITE outside a dialog. If it is sent again after a challenge or
// redirection, it keeps its policy.
func (r *Requester) firstInvite(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	c := r.c.calls
	id, tag := sipmsg.CallID(req), sipmsg.FromTag(req)
	var policy sessiontimer.Policy
	if set := c.Sets.Find(id, tag); set != nil {
		policy = set.Invited()
	}
	if policy.Mode == sessiontimer.Off {
		policy = c.PolicyFor(req, true)
		c.OwnTimers.Heed(&policy, req, sessiontimer.UAC)
	}
	if policy.Mode == sessiontimer.Off || tag == "" || req.CSeq() == nil {
		return r.direct(ctx, req)
	}
	return r.newFirstInvite(req, policy).begin(ctx)
}

// inDialog sends a request within a dialog.
func (r *Requester) inDialog(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	c := r.c.calls
	id := outOf(req)
	set := c.SetOf(ctx, id)
	if set == nil || req.CSeq() == nil {
		return r.direct(ctx, req)
	}
	d := set.Of(id.RemoteTag)
	led := r.follow(set, d, req)
	switch req.Method {
	case sip.INVITE, sip.UPDATE:
		return r.newLaterOffer(set, d, req, led).begin(ctx)
	case sip.BYE:
		// RFC 3261 §15.1.1: the session is over when the BYE is handed over.
		c.Ended(calls.Detached(ctx), set, id.RemoteTag, sessiontimer.CauseHungUp)
	case sip.PRACK:
		if rewriteRAck(d, req); calls.Described(req) { // the 2xx may have the answer
			return r.newLaterOffer(set, d, req, led).begin(ctx)
		}
	}
	return r.newPlainRequest(set, d, req, led).begin(ctx)
}

// outOf returns the ID of the dialog that an outgoing request belongs to.
func outOf(req *sip.Request) dialogstore.ID {
	return dialogstore.ID{CallID: sipmsg.CallID(req), LocalTag: sipmsg.FromTag(req), RemoteTag: sipmsg.ToTag(req)}
}

// rewriteRAck puts the CSeq that the INVITE had on the wire into the RAck of a PRACK (RFC
// 3262 §7.2).
func rewriteRAck(d *dialogset.Dialog, req *sip.Request) {
	h := sipmsg.First(req, "RAck", "")
	if h == nil {
		return
	}
	parts := strings.Fields(h.Value())
	if len(parts) != 3 {
		return
	}
	app, err := strconv.ParseUint(parts[1], 10, 32)
	if err != nil {
		return
	}
	parts[1] = strconv.FormatUint(uint64(d.Count.WireCSeq(uint32(app))), 10)
	req.ReplaceHeader(sip.NewHeader(h.Name(), strings.Join(parts, " ")))
}

// cancel sends a CANCEL. After a 422 the INVITE has a new transaction, which the
// application does not know; the CANCEL is made to match it, and waits until that has a
// provisional response (RFC 3261 §9.1).
func (r *Requester) cancel(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	set := r.c.calls.Sets.Find(sipmsg.CallID(req), sipmsg.FromTag(req))
	if set == nil || req.Via() == nil {
		return r.direct(ctx, req)
	}
	offer := set.Offer(req.Via().Params.GetOr("branch", ""))
	if offer == nil {
		return r.direct(ctx, req)
	}
	sent, err := offer.Cancel(ctx)
	if err != nil {
		return nil, err
	}
	sipmsg.AddToken(req, sipmsg.SupportedTimer, "k")
	req.Via().Params.Add("branch", sent.Via().Params.GetOr("branch", ""))
	sipmsg.SetCSeq(req, sent.CSeq().SeqNo)
	return r.direct(ctx, req)
}

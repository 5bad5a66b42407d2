package client

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/monitor"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// exchange is one request that we send, up to its final response. It takes one
// transaction, or more if the request is sent again after a 422, 420 or challenge. The
// kinds of requests embed it.
type exchange struct {
	r      *Requester
	set    *dialogset.Set
	dialog *dialogset.Dialog
	id     dialogstore.ID // of dialog; no remote tag in a first INVITE
	policy sessiontimer.Policy
	sentAt time.Time

	guard       monitor.Monitor // of the fields below; req and proposal change only in the goroutine that handles responses
	req         *sip.Request    // as last sent
	proposal    sessiontimer.Proposal
	ours        bool // the application does not have req, so a goroutine may go on using it
	tx          *sip.ClientTx
	cseq        uint32 // of req as last sent
	provisional bool   // the transaction has a provisional response
	cancelled   bool   // the application has sent a CANCEL
	done        bool   // there was a final response, or there will be none
}

// kind has the steps of send that differ between kinds of requests, in the order in which
// they are called.
type kind interface {
	// opened is called once there is a transaction, before the request gets its CSeq.
	opened(tx *sip.ClientTx)
	// number returns the CSeq on the wire.
	number() uint32
	// numbered may store the CSeq before it is used, so that another process that takes
	// the call over continues after it.
	numbered(ctx context.Context, cseq uint32)
	// says notes the session description in the request.
	says()
	// permitted returns an error if the request must not be sent. It is called last,
	// right before the write.
	permitted(ctx context.Context) error
}

// send marks the request, then numbers and writes it in one step, so that requests leave
// in the order of their CSeq. The connection is opened before that step: dialling may take
// long, and a BYE must not wait for it.
func (x *exchange) send(ctx context.Context, k kind) error {
	tx, err := x.open(ctx)
	if err != nil {
		return err
	}
	x.mark()
	x.change(func() { x.tx = tx })
	k.opened(tx)
	err = x.dialog.Count.InTurn(ctx, func() error {
		n := k.number()
		sipmsg.SetCSeq(x.req, n)
		k.numbered(ctx, n)
		x.fit()
		x.sentAt = time.Now()
		x.change(func() { x.cseq = n })
		k.says()
		if err := k.permitted(ctx); err != nil {
			return err
		}
		return x.write(ctx, tx)
	})
	if err != nil {
		x.unanswered()
		tx.Terminate()
	}
	return err
}

// open makes the transaction. For a message of the application it may block as long as
// sipgo does: no goroutine may keep using the message after the call has returned.
func (x *exchange) open(ctx context.Context) (*sip.ClientTx, error) {
	if x.ours {
		return x.r.openWithin(ctx, x.req)
	}
	return x.r.open(ctx, x.req)
}

func (x *exchange) write(ctx context.Context, tx *sip.ClientTx) error {
	if x.ours && sip.IsReliable(x.req.Transport()) {
		return x.r.c.within(ctx, tx.Init)
	}
	return tx.Init()
}

// mark adds the option tag to the request and, in an INVITE or UPDATE, the proposal (RFC
// 4028 §7.1).
func (x *exchange) mark() {
	if x.negotiates() {
		x.r.c.calls.Mark(x.req, x.proposal)
	}
	sipmsg.AddToken(x.req, sipmsg.SupportedTimer, "k")
}

// negotiates reports whether the request may carry a session timer.
func (x *exchange) negotiates() bool { return x.req.IsInvite() || x.req.Method == sip.UPDATE }

// fit removes the session timer from a request that would be too long to be sent with it.
func (x *exchange) fit() {
	if x.r.c.calls.UnmarkToFit(x.req, x.req) || !x.negotiates() {
		return
	}
	x.change(func() { x.proposal = sessiontimer.Proposal{Retries: x.proposal.Retries} })
	x.r.c.calls.Log.Warn("no session timer: with it the request would be too long for a datagram", "call_id", x.id.CallID,
		"local_tag", x.id.LocalTag, "remote_tag", x.id.RemoteTag, "method", string(x.req.Method))
}

// negotiation is a kind of request whose responses we handle.
type negotiation interface {
	kind
	// accepted handles a 2xx.
	accepted(ctx context.Context, res *sip.Response)
	// told handles any other response: it may have a session description.
	told(ctx context.Context, res *sip.Response)
	// learn keeps the Min-SE of a 422.
	learn(ctx context.Context, minSE time.Duration)
	// over ends the exchange. res is the final response, nil if there is none. It may be
	// called more than once.
	over(res *sip.Response)
}

// handle handles a response. n is the kind that embeds x. It returns true if the request
// was sent again, so that the application must not see the response. The result of a
// response is committed even if ctx ends meanwhile.
func (x *exchange) handle(ctx context.Context, n negotiation, res *sip.Response) (again bool) {
	switch {
	case res.IsProvisional():
		x.change(func() { x.provisional = true })
		n.told(ctx, res)
		return false
	case res.IsSuccess():
		n.accepted(ctx, res)
	default:
		if n.told(ctx, res); x.retry(ctx, n, res) {
			return true
		}
	}
	n.over(res)
	return false
}

// retry sends the request again after a 422, with a longer interval (RFC 4028 §7.3), or
// after a 420, without requiring timers. The new request has a new branch and the next
// CSeq, and is otherwise the same.
func (x *exchange) retry(ctx context.Context, n negotiation, res *sip.Response) bool {
	var ok bool
	next := x.proposal
	switch res.StatusCode {
	case sessiontimer.StatusIntervalTooSmall:
		if next, ok = x.policy.Retry(x.proposal, sipmsg.Fields(res, x.policy)); ok {
			n.learn(calls.Detached(ctx), next.MinSE)
		}
	case sip.StatusBadExtension:
		if next, ok = x.policy.RetryWithout(x.proposal, sipmsg.Fields(res, x.policy)); ok {
			// §7.4: the INVITE no longer requires timers, so later requests must not either.
			x.policy.Mode = sessiontimer.Always
		}
	}
	if !ok {
		return false
	}
	refused, req := x.transaction(), x.req.Clone()
	sipmsg.NewBranch(req)
	if !x.replace(req, next) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, stepLife())
	defer cancel()
	if err := x.send(ctx, n); err != nil {
		x.r.c.calls.Log.Warn("cannot send the refused request again", "call_id", x.id.CallID, "local_tag", x.id.LocalTag,
			"remote_tag", x.id.RemoteTag, "method", string(x.req.Method), "status", res.StatusCode, "error", err)
		x.change(func() { x.tx = refused })
		return false
	}
	if res.StatusCode == sessiontimer.StatusIntervalTooSmall {
		x.r.c.calls.Figures.Retries422.Add(1)
	}
	return true
}

// replace puts req in place of the refused request, unless the application has cancelled
// that.
func (x *exchange) replace(req *sip.Request, proposal sessiontimer.Proposal) (replaced bool) {
	x.change(func() {
		if replaced = !x.cancelled; replaced {
			x.req, x.proposal, x.ours, x.provisional = req, proposal, true, false
		}
	})
	return replaced
}

// end marks the exchange as over, and reports whether it was not over before.
func (x *exchange) end(res *sip.Response) (first bool) {
	x.change(func() { first, x.done = !x.done, true })
	if first && res == nil {
		x.unanswered()
	}
	return first
}

// unanswered notes that there will be no response. Like a refusal, that withdraws an offer.
func (x *exchange) unanswered() {
	m := offeranswer.Message{Status: sip.StatusRequestTimeout}
	x.change(func() { m.Method, m.CSeq = string(x.req.Method), x.cseq })
	x.r.c.calls.Says(context.Background(), x.dialog, x.id, offeranswer.Peer, m)
}

// ofCall reports whether a 2xx has the Call-ID and From tag of the request (RFC 3261
// §8.2.6.2). If not, it is logged.
func (x *exchange) ofCall(res *sip.Response) bool {
	if sipmsg.CallID(res) == x.id.CallID && sipmsg.FromTag(res) == x.id.LocalTag {
		return true
	}
	x.r.c.calls.LeaveAlone(errOtherCall, x.set.ID(sipmsg.ToTag(res)))
	return false
}

// change runs what under the guard, and wakes those that wait on it.
func (x *exchange) change(what func()) {
	x.guard.Lock()
	defer x.guard.Unlock()
	what()
	x.guard.Signal()
}

// localAddr returns our address on the connection of the transaction.
func (x *exchange) localAddr() string { return sipmsg.LocalAddr(x.transaction().Connection()) }

func (x *exchange) isCancelled() bool {
	x.guard.Lock()
	defer x.guard.Unlock()
	return x.cancelled
}

// transaction returns the current transaction.
func (x *exchange) transaction() *sip.ClientTx {
	x.guard.Lock()
	defer x.guard.Unlock()
	return x.tx
}

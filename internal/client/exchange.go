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

// exchange is one request of ours until its final response: one transaction, or as
// many as 422 and 420 responses make of it. What its kinds have in common is here.
type exchange struct {
	r      *Requester
	set    *dialogset.Set
	dialog *dialogset.Dialog // in which it is
	id     dialogstore.ID    // of that; without remote tag before there is one
	policy sessiontimer.Policy
	sentAt time.Time

	guard       monitor.Monitor // of req and proposal too: only whoever passes responses on changes these
	req         *sip.Request    // as last sent
	proposal    sessiontimer.Proposal
	ours        bool // req is nobody else's: it may be left behind
	tx          *sip.ClientTx
	cseq        uint32 // of req as last sent
	provisional bool   // the transaction has a provisional response
	cancelled   bool   // the application sends a CANCEL
	done        bool   // there is a final response, or there will be none
}

// kind is what a kind of request does in its own way while it is sent.
type kind interface {
	// opened is called when the transaction is there, before the request is numbered.
	opened(tx *sip.ClientTx)
	// number is its CSeq on the wire.
	number() uint32
	// numbered commits the number before it is used, so that another process goes on
	// after it.
	numbered(ctx context.Context, cseq uint32)
	// says notes what the request describes as it goes out.
	says()
	// permitted is asked last, in the step that hands the request over: an error keeps
	// it from being sent.
	permitted(ctx context.Context) error
}

// send marks the request, numbers it and hands it over in one step, in the order
// of the numbers. The connection is there by then: dialling may take long, and a
// BYE must not wait behind it.
func (x *exchange) send(ctx context.Context, k kind) error {
	tx, err := x.open(ctx)
	if err != nil {
		return err
	}
	x.mark()
	x.change(func() { x.tx, x.provisional = tx, false })
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

// open makes the transaction. What the application sends takes as long as it does
// without us, for the message is its own.
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

// mark writes what belongs into the request (RFC 4028 §7.1): the option tag into
// every one, the proposal into an INVITE or UPDATE.
func (x *exchange) mark() {
	if x.negotiates() {
		x.r.c.calls.Mark(x.req, x.proposal)
	}
	sipmsg.AddToken(x.req, sipmsg.SupportedTimer, "k")
}

// negotiates reports whether the request may carry a session timer.
func (x *exchange) negotiates() bool { return x.req.IsInvite() || x.req.Method == sip.UPDATE }

// fit takes the session timer out of a request that would not go out with it.
func (x *exchange) fit() {
	if x.r.c.calls.UnmarkToFit(x.req, x.req) || !x.negotiates() {
		return
	}
	x.change(func() { x.proposal = sessiontimer.Proposal{Retries: x.proposal.Retries} })
	x.r.c.calls.Log.Warn("no session timer: the request would not pass", "call_id", x.id.CallID,
		"local_tag", x.id.LocalTag, "remote_tag", x.id.RemoteTag, "method", string(x.req.Method))
}

// negotiation is a kind of request that may settle something.
type negotiation interface {
	kind
	// accepted takes its 2xx.
	accepted(ctx context.Context, res *sip.Response)
	// told takes another response, which settles nothing but what it describes.
	told(ctx context.Context, res *sip.Response)
	// learn keeps the Min-SE of a 422.
	learn(ctx context.Context, minSE time.Duration)
	// over notes its end: res is the final response, nil if there is none. It may be
	// called again.
	over(res *sip.Response)
}

// handle takes a response to n, which is x. It returns true if the request was sent
// again and the application has nothing to see. What a response settles is committed
// even if ctx ends meanwhile.
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

// retry answers a 422 with a request that asks for more (RFC 4028 §7.3), and a
// 420 with one that does not require timers: same Call-ID and tags, new branch,
// next CSeq, all that the application put in.
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
			// §7.4: what the INVITE of a call requires, its later requests do.
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
		x.r.c.calls.Log.Warn("request not repeated after its refusal", "call_id", x.id.CallID, "local_tag", x.id.LocalTag,
			"remote_tag", x.id.RemoteTag, "error", err)
		x.change(func() { x.tx = refused })
		return false
	}
	if res.StatusCode == sessiontimer.StatusIntervalTooSmall {
		x.r.c.calls.Figures.Retries422.Add(1)
	}
	return true
}

// replace has req sent in place of the request that was refused, unless the
// application cancels that.
func (x *exchange) replace(req *sip.Request, proposal sessiontimer.Proposal) (replaced bool) {
	x.change(func() {
		if replaced = !x.cancelled; replaced {
			x.req, x.proposal, x.ours, x.provisional = req, proposal, true, false
		}
	})
	return replaced
}

// end notes that the exchange is over, and reports whether that is new.
func (x *exchange) end(res *sip.Response) (first bool) {
	x.change(func() { first, x.done = !x.done, true })
	if first && res == nil {
		x.unanswered()
	}
	return first
}

// unanswered notes that there will be no response, which withdraws an offer as a
// refusal would.
func (x *exchange) unanswered() {
	m := offeranswer.Message{Status: sip.StatusRequestTimeout}
	x.change(func() { m.Method, m.CSeq = string(x.req.Method), x.cseq })
	x.r.c.calls.Says(context.Background(), x.dialog, x.id, offeranswer.Peer, m)
}

// ofCall reports whether a 2xx names the call of the request (RFC 3261 §8.2.6.2).
func (x *exchange) ofCall(res *sip.Response) bool {
	if sipmsg.CallID(res) == x.id.CallID && sipmsg.FromTag(res) == x.id.LocalTag {
		return true
	}
	x.r.c.calls.LeaveAlone(errOtherCall, x.set.ID(sipmsg.ToTag(res)))
	return false
}

// change changes what others may read or wait for.
func (x *exchange) change(what func()) {
	x.guard.Lock()
	defer x.guard.Unlock()
	what()
	x.guard.Signal()
}

// localAddr is our address on the connection of the transaction.
func (x *exchange) localAddr() string { return sipmsg.LocalAddr(x.transaction().Connection()) }

func (x *exchange) isCancelled() bool {
	x.guard.Lock()
	defer x.guard.Unlock()
	return x.cancelled
}

// transaction is the one in flight.
func (x *exchange) transaction() *sip.ClientTx {
	x.guard.Lock()
	defer x.guard.Unlock()
	return x.tx
}

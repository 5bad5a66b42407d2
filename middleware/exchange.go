package middleware

import (
	"context"
	"slices"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/monitor"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// exchange is one request of ours until its final response: one transaction, or
// as many as 422 and 420 responses make of it.
type exchange struct {
	r         *requester
	dialogs   *dialogset.Set
	flight    *dialogset.Dialog // the dialog in it
	req       *sip.Request      // as last sent
	app       uint32            // CSeq that the application gave it
	branch    string            // and its branch
	remoteTag string            // empty before there is a dialog
	led       bool              // to where the application does not know that the peer is
	policy    sessiontimer.Policy
	own       bool                // a request of this package, not the application's
	ours      bool                // req is nobody else's: it may be left behind
	dialog    *dialogstore.Dialog // of such a request
	noUpdate  bool                // if it is accepted, UPDATE counts as refused
	place     string              // that it goes to; empty for where its URIs lead
	remember  *string             // to be Answered if that answers; nil to leave it as it is
	transport string              // of a first INVITE
	proposal  sessiontimer.Proposal
	sentAt    time.Time
	heard     map[string]sessiontimer.Fields // what provisional responses told, by To tag

	authorized []*authorization // the challenges that it answers, nearest first

	client *clientTx // what the application sees of an INVITE or UPDATE; nil for others

	guard       monitor.Monitor // of req and proposal too: only who passes responses on changes these
	tx          *sip.ClientTx
	cseq        uint32 // of req as last sent
	provisional bool   // the transaction has a provisional response
	cancelled   bool   // the application sends a CANCEL
	done        bool   // there is a final response, or there will be none

	responded bool // a request of ours has had a response; only who awaits it looks
}

// keptEarly bounds how many early dialogs of one INVITE are listened to.
const keptEarly = 8

// Branch implements dialogset.Offer.
func (x *exchange) Branch() string { return x.branch }

// begin sends an INVITE or UPDATE of the application and returns the
// transaction that it sees.
func (x *exchange) begin(ctx context.Context) (sip.ClientTransaction, error) {
	x.flight.Begin(ctx, x.req.Method)
	x.propose(ctx)
	x.client = newClientTx(x)
	x.branch = x.req.Via().Params.GetOr("branch", "")
	if x.req.IsInvite() || x.req.Method == sip.UPDATE && described(x.req) {
		x.flight.Offering(x)
	}
	if err := x.send(ctx); err != nil {
		x.over(nil)
		return nil, err
	}
	return x.client, nil
}

// once sends any other request of the application within the dialog.
func (x *exchange) once(ctx context.Context) (sip.ClientTransaction, error) {
	x.flight.Begin(ctx, x.req.Method)
	if err := x.send(ctx); err != nil {
		if x.tx == nil {
			x.flight.Finish(x.req.Method) // no transaction that ends
		}
		return nil, err
	}
	return x.tx, nil
}

// propose says what the request carries.
func (x *exchange) propose(ctx context.Context) {
	if x.remoteTag == "" {
		learned := x.dialogs.Learned()
		x.proposal = x.policy.Propose(sessiontimer.Session{}, learned, false)
		return
	}
	d, err := x.r.t.store.Load(detached(ctx), x.dialogs.ID(x.remoteTag))
	if err != nil {
		// An early dialog, or one that ends just now.
		x.proposal = sessiontimer.Proposal{}
		return
	}
	if x.req.IsInvite() || len(x.req.Body()) > 0 {
		x.flight.Recall(agreedOf(&d))
	}
	x.policy = d.Policy
	x.proposal = x.policy.Propose(d.Session, d.MinSE, d.PeerTimer)
}

// send marks the request, numbers it and hands it over in one step, in the order
// of the numbers. The connection is there by then: dialling may take long, and a
// BYE must not wait behind it.
func (x *exchange) send(ctx context.Context) error {
	tx, err := x.open(ctx)
	if err != nil {
		return err
	}
	if x.remoteTag == "" {
		x.transport = sip.NetworkToLower(x.req.Transport())
		x.flight.Tell(dialogset.ToldBy(x.req))
	}
	x.mark()
	x.sign()
	x.set(func() { x.tx, x.provisional = tx, false })
	x.watch(tx)
	err = x.flight.Count.InTurn(ctx, func() error {
		n := x.flight.Count.Number(x.app, x.req.IsInvite() && !x.own)
		sipmsg.SetCSeq(x.req, n)
		x.commitCSeq(ctx, n)
		x.fit()
		x.sentAt = time.Now()
		x.says()
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
		return x.r.t.within(ctx, tx.Init)
	}
	return tx.Init()
}

// watch follows a transaction before it sends.
func (x *exchange) watch(tx *sip.ClientTx) {
	switch {
	case x.client != nil:
		x.client.watch(x, tx)
	case !x.own:
		tx.OnTerminate(func(string, error) { x.flight.Finish(x.req.Method) })
	case x.req.IsInvite():
		tx.OnRetransmission(x.acknowledge)
	}
}

// mark writes what belongs into the request (RFC 4028 §7.1): the option tag into
// every one, the proposal into an INVITE or UPDATE.
func (x *exchange) mark() {
	if x.req.IsInvite() || x.req.Method == sip.UPDATE {
		x.r.t.mark(x.req, x.proposal)
	}
	sipmsg.AddToken(x.req, sipmsg.SupportedTimer, "k")
}

// fit takes the session timer out of a request that would not go out with it.
func (x *exchange) fit() {
	if x.r.t.unmarkToFit(x.req, x.req) || !x.req.IsInvite() && x.req.Method != sip.UPDATE {
		return
	}
	x.set(func() { x.proposal = sessiontimer.Proposal{Retries: x.proposal.Retries} })
	x.r.t.log.Warn("no session timer: the request would not pass", "call_id", x.dialogs.ID("").CallID,
		"local_tag", x.dialogs.ID("").LocalTag, "remote_tag", x.remoteTag, "method", string(x.req.Method))
}

// commitCSeq stores the number before it is used, so that a restarted process
// goes on after it. A dialog is not stored before its 2xx, nor from its BYE on.
func (x *exchange) commitCSeq(ctx context.Context, n uint32) {
	if x.remoteTag == "" || x.req.Method == sip.BYE {
		return
	}
	ctx = detached(ctx)
	x.r.t.renew(ctx, x.dialogs.ID(x.remoteTag), func(d dialogstore.Dialog) dialogstore.Dialog {
		d.LocalCSeq = max(d.LocalCSeq, n)
		if x.own || x.led {
			return d
		}
		if dest := destination(x.req, d); dest != "" {
			d.Destination = dest
		}
		return d
	})
}

// handle takes a response. It returns true if the request was sent again and
// the application has nothing to see. What a response settles is committed even
// if ctx ends meanwhile.
func (x *exchange) handle(ctx context.Context, res *sip.Response) (again bool) {
	switch {
	case res.IsProvisional():
		x.set(func() { x.provisional = true })
		x.hear(res)
		x.isTold(ctx, res)
		return false
	case res.IsSuccess():
		switch {
		case x.isCancelled() && x.remoteTag == "":
			x.forked(res) // a dialog only if the application acknowledges it
		case x.req.IsInvite() || x.req.Method == sip.UPDATE:
			x.r.t.settle(detached(ctx), x, res)
		default:
			x.isTold(ctx, res)
		}
	default:
		if x.isTold(ctx, res); x.retry(ctx, res) {
			return true
		}
	}
	x.over(res)
	return false
}

// hear notes what a provisional response tells of the party that sent it.
func (x *exchange) hear(res *sip.Response) {
	tag := sipmsg.ToTag(res)
	h, known := x.heard[tag]
	if tag == "" || x.remoteTag != "" || !known && len(x.heard) == keptEarly {
		return
	}
	f := sipmsg.Fields(res, x.policy)
	h.Supported = h.Supported || f.Supported
	if f.HasAllow {
		h.HasAllow, h.AllowUpdate = true, f.AllowUpdate
	}
	if x.heard == nil {
		x.heard = make(map[string]sessiontimer.Fields)
	}
	x.heard[tag] = h
}

// retry answers a 422 with a request that asks for more (RFC 4028 §7.3), and a
// 420 with one that does not require timers: same Call-ID and tags, new branch,
// next CSeq, all that the application put in.
func (x *exchange) retry(ctx context.Context, res *sip.Response) bool {
	var ok bool
	next := x.proposal
	switch res.StatusCode {
	case sessiontimer.StatusIntervalTooSmall:
		if next, ok = x.policy.Retry(x.proposal, sipmsg.Fields(res, x.policy)); ok {
			x.learn(detached(ctx), next.MinSE)
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
	if err := x.send(ctx); err != nil {
		x.r.t.log.Warn("request not repeated after its refusal", "call_id", x.dialogs.ID("").CallID, "local_tag", x.dialogs.ID("").LocalTag,
			"remote_tag", x.remoteTag, "error", err)
		x.set(func() { x.tx = refused })
		return false
	}
	return true
}

// replace has req sent in place of the request that was refused, unless the
// application cancels that.
func (x *exchange) replace(req *sip.Request, proposal sessiontimer.Proposal) (replaced bool) {
	x.set(func() {
		if replaced = !x.cancelled; replaced {
			x.req, x.proposal, x.ours, x.provisional = req, proposal, true, false
		}
	})
	return replaced
}

// learn keeps the Min-SE of a 422: with the dialog, or until there is one.
func (x *exchange) learn(ctx context.Context, minSE time.Duration) {
	if x.remoteTag == "" {
		x.dialogs.Learn(minSE)
		return
	}
	x.r.t.renew(ctx, x.dialogs.ID(x.remoteTag), func(d dialogstore.Dialog) dialogstore.Dialog {
		d.MinSE = max(d.MinSE, minSE)
		return d
	})
}

// over notes the end of the exchange: res is the final response, nil if there
// is none. It may be called again.
func (x *exchange) over(res *sip.Response) {
	var first bool
	var method sip.RequestMethod
	x.set(func() { first, x.done, method = !x.done, true, x.req.Method })
	if first && res == nil {
		x.unanswered()
	}
	if !first || x.own {
		return
	}
	x.r.t.sets.Touch(x.dialogs)
	x.flight.Finish(method)
	x.flight.Offered(x)
	if x.dialogs.Needed() {
		return
	}
	// No dialog came of it. A challenge or redirection is mostly followed by
	// the same INVITE again, which then needs what was learnt and numbered.
	if x.remoteTag != "" || x.isCancelled() || res != nil && slices.Contains([]int{300, 301, 302, 305, 380, 401, 407, 420, 421}, res.StatusCode) {
		x.r.t.sets.DropLater(x.dialogs)
		return
	}
	x.r.t.sets.Drop(x.dialogs)
}

// set changes the exchange and wakes who waits for that.
func (x *exchange) set(change func()) {
	x.guard.Lock()
	defer x.guard.Unlock()
	change()
	x.guard.Signal()
}

// laddr is our address on the connection of the transaction.
func (x *exchange) laddr() string { return localAddr(x.transaction().Connection()) }

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

// Cancel implements dialogset.Offer. It waits until a CANCEL may be sent and returns the INVITE that it is for,
// which is not sent anew from then on. Without a retry that is the one that the
// application knows.
func (x *exchange) Cancel(ctx context.Context) (*sip.Request, error) {
	ctx, stop := context.WithTimeout(ctx, 64*sip.T1)
	defer stop()
	err := x.guard.Await(ctx, func() bool { return x.provisional || x.done || x.proposal.Retries == 0 })
	defer x.guard.Unlock()
	if err != nil {
		return nil, err
	}
	x.cancelled = true
	return x.req, nil
}

package client

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// laterOffer is a re-INVITE or UPDATE of the application, or a PRACK with a session
// description.
type laterOffer struct {
	offer
	led bool // follow has set the destination
}

func (r *Requester) newLaterOffer(set *dialogset.Set, d *dialogset.Dialog, req *sip.Request, led bool) *laterOffer {
	return &laterOffer{led: led, offer: offer{
		exchange: exchange{r: r, set: set, dialog: d, id: set.ID(sipmsg.ToTag(req)), req: req, policy: set.Invited()},
		app:      req.CSeq().SeqNo,
	}}
}

func (l *laterOffer) begin(ctx context.Context) (sip.ClientTransaction, error) {
	l.dialog.Begin(ctx, l.req.Method)
	l.propose(ctx)
	return l.offer.begin(ctx, l)
}

// propose sets the proposal in the request. There is none if the dialog is not stored: it
// is early, or has just ended.
func (l *laterOffer) propose(ctx context.Context) {
	d, err := l.r.c.calls.Store.Load(calls.Detached(ctx), l.id)
	if err != nil {
		return
	}
	if l.req.IsInvite() || len(l.req.Body()) > 0 {
		l.dialog.Recall(calls.AgreedOf(&d.State))
	}
	l.policy = d.Policy
	l.proposal = l.policy.Propose(d.Session, d.MinSE, d.PeerTimer)
}

func (l *laterOffer) opened(tx *sip.ClientTx) { l.client.watch(tx) }

func (l *laterOffer) numbered(ctx context.Context, cseq uint32) { l.commitNumber(ctx, cseq, !l.led) }

func (l *laterOffer) says() { l.dialog.Said(offeranswer.Us, calls.Requested(l.req), l.id.RemoteTag) }

func (l *laterOffer) told(ctx context.Context, res *sip.Response) { l.isTold(ctx, res) }

func (l *laterOffer) learn(ctx context.Context, minSE time.Duration) { l.learnMinSE(ctx, minSE) }

// repeated does nothing: a further 2xx belongs to the same dialog.
func (*laterOffer) repeated(*sip.Response) {}

func (l *laterOffer) accepted(ctx context.Context, res *sip.Response) {
	switch {
	case !l.negotiates():
		l.isTold(ctx, res)
	case l.ofCall(res):
		l.settle(calls.Detached(ctx), res, l.req.Contact(), calls.Sent{})
	}
}

func (l *laterOffer) over(res *sip.Response) {
	if !l.end(res) {
		return
	}
	if l.finish(); !l.set.Needed() {
		l.r.c.calls.Sets.DropLater(l.set)
	}
}

// commitNumber stores the CSeq of a request and, if chosen, its destination as the
// application's choice.
func (x *exchange) commitNumber(ctx context.Context, cseq uint32, chosen bool) {
	x.r.c.calls.Renew(calls.Detached(ctx), x.id, func(d dialogstore.Dialog) dialogstore.State {
		d.LocalCSeq = max(d.LocalCSeq, cseq)
		if !chosen {
			return d.State
		}
		if dest := destination(x.req, d); dest != "" {
			d.Destination = dest
		}
		return d.State
	})
}

// isTold notes the session description of a response within a dialog.
func (x *exchange) isTold(ctx context.Context, res *sip.Response) {
	x.r.c.calls.Says(calls.Detached(ctx), x.dialog, x.id, offeranswer.Peer, calls.Responded(x.req, res))
}

// learnMinSE keeps the Min-SE of a 422 with the dialog.
func (x *exchange) learnMinSE(ctx context.Context, minSE time.Duration) {
	x.r.c.calls.Renew(ctx, x.id, func(d dialogstore.Dialog) dialogstore.State {
		d.MinSE = max(d.MinSE, minSE)
		return d.State
	})
}

// settle commits what a 2xx within a dialog changes (RFC 4028 §7.2). contact is the Contact
// of the request if the application sent it. settle fills in the fields of sent that it
// knows. It returns the dialog before the change, the agreed session descriptions, and
// whether those are new.
func (x *exchange) settle(ctx context.Context, res *sip.Response, contact *sip.ContactHeader, sent calls.Sent) (before dialogstore.Dialog, agreed offeranswer.Agreed, news bool) {
	c := x.r.c.calls
	r := calls.Renewal{Request: x.req, At: time.Now(), Fields: sipmsg.Fields(res, x.policy), Seen: indialog.SightingIn(res), Contact: contact}
	c.WarnMalformed(r.Fields, x.id)
	r.Agreed, r.News = x.dialog.Said(offeranswer.Peer, calls.Responded(x.req, res), x.id.RemoteTag)
	sent.At, sent.CSeq, sent.Policy, sent.Proposal, sent.LocalAddr = x.sentAt, x.cseq, x.policy, x.proposal, x.localAddr
	before, ok := c.Renew(ctx, x.id, func(d dialogstore.Dialog) dialogstore.State { return r.Accepted(d, sent) })
	if !ok {
		return before, agreed, false
	}
	if r.Renewed {
		c.CountRefreshed(sessiontimer.Local, x.req.Method, &before)
	}
	known := before
	calls.Moved(x.dialog, &known, r.Seen, x.localAddr)
	return before, r.Agreed, r.News
}

package middleware

import (
	"context"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// answerInForce is what answers a request of the peer that changes nothing; false if
// there is no such answer, or the application is needed. An INVITE without a
// description may be meant to resume a session on hold, which only the application can
// offer (RFC 3261 §14.2), if it may.
func (in *incoming) answerInForce(mayOffer bool) (offeranswer.Description, bool) {
	if len(in.req.Body()) == 0 {
		if !in.req.IsInvite() {
			return offeranswer.Description{}, false
		}
		agreed := in.flight.Agreed()
		return agreed.Reoffer(), len(agreed.Ours.Body) > 0 && !(mayOffer && agreed.Held())
	}
	offer, ok := offeranswer.Find(sipmsg.ContentType(in.req), in.req.Body())
	if !ok {
		return offeranswer.Description{}, false
	}
	agreed := in.flight.Agreed()
	if !agreed.Repeats(offer) || agreed.Raised(offer) {
		return offeranswer.Description{}, false
	}
	return agreed.Answer(offer)
}

// asks notes the request.
func (in *incoming) asks() { in.flight.Said(offeranswer.Peer, requested(in.req), "") }

// answers notes a provisional response, which is the answer if it is reliable.
func (in *incoming) answers(flight *dialogset.Dialog, res *sip.Response) {
	id := dialogstore.ID{CallID: sipmsg.CallID(res), LocalTag: sipmsg.ToTag(res), RemoteTag: sipmsg.FromTag(res)}
	in.t.says(context.Background(), flight, id, offeranswer.Us, responded(in.req, res))
}

// accepts notes a 2xx within the dialog.
func (in *incoming) accepts(res *sip.Response) (agreed offeranswer.Agreed, news bool) {
	in.mu.Lock()
	lapsed := in.lapsed
	in.mu.Unlock()
	if lapsed { // sipgo sends the 2xx to an INVITE all the same
		in.asks()
	}
	return in.flight.Said(offeranswer.Us, responded(in.req, res), "")
}

// unanswered notes that the request is refused, or has no answer. With a first INVITE
// its dialog is forgotten.
func (in *incoming) unanswered() {
	if in.id.RemoteTag != "" {
		in.t.says(context.Background(), in.flight, in.id, offeranswer.Us, refused(in.req))
	}
}

// pass gives a PRACK, or an UPDATE in an early dialog, to the application. It settles no
// session timer, but may carry an offer or an answer.
func (t *Timers) pass(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	l := t.sets.Find(sipmsg.CallID(req), sipmsg.ToTag(req))
	if l == nil || req.CSeq() == nil || !described(req) {
		next(req, tx)
		return
	}
	m := l.Speaking(sipmsg.FromTag(req))
	if m == nil {
		next(req, tx)
		return
	}
	o := &offerTx{ServerTransaction: tx, t: t, m: m, id: l.ID(sipmsg.FromTag(req)), req: req}
	o.t.says(context.Background(), m, o.id, offeranswer.Peer, requested(req))
	defer o.says(refused(req)) // unless it is answered by then
	next(req, o)
}

// offerTx is the transaction of such a request, as the application sees it.
type offerTx struct {
	sip.ServerTransaction
	t   *Timers
	m   *dialogset.Dialog
	id  dialogstore.ID
	req *sip.Request
}

// Respond implements sip.ServerTransaction.
func (o *offerTx) Respond(res *sip.Response) error {
	o.m.HandOver()
	defer o.m.HandedOver()
	err := o.ServerTransaction.Respond(res)
	if err == nil {
		o.says(responded(o.req, res))
	}
	return err
}

func (o *offerTx) says(msg offeranswer.Message) {
	o.t.says(context.Background(), o.m, o.id, offeranswer.Us, msg)
}

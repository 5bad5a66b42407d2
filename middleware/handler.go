package middleware

import (
	"context"
	"math/rand/v2"
	"strconv"

	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Handler wraps a request handler, for hand-written chains; Attach and diagotimer
// do it by themselves. The handlers of INVITE, ACK, BYE and UPDATE must be
// wrapped, all four, and SetHost must name the BYE handler; so must that of PRACK, if
// there is one, for what it describes. Other methods pass at the cost of a look-up. Handler keeps no state of its own and may be
// called anew for each request. A nil next leaves UPDATE, and the BYE of a call
// that is known, to the timers and answers nothing else.
func (t *Timers) Handler(next sipgo.RequestHandler) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		switch req.Method {
		case sip.INVITE:
			t.onInvite(next, req, tx)
		case sip.UPDATE:
			t.onUpdate(next, nil, req, tx)
		case sip.ACK:
			t.onAck(next, req, tx)
		case sip.BYE:
			t.onBye(next, req, tx)
		default:
			t.onOther(next, req, tx)
		}
	}
}

func (t *Timers) onOther(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	if tag := sipmsg.ToTag(req); tag != "" {
		t.heard(dialogstore.ID{CallID: sipmsg.CallID(req), LocalTag: tag, RemoteTag: sipmsg.FromTag(req)})
	}
	switch {
	case next == nil:
	case req.Method == sip.PRACK:
		t.pass(next, req, tx)
	default:
		next(req, tx)
	}
}

func (t *Timers) onInvite(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	if next == nil {
		return
	}
	if sipmsg.ToTag(req) != "" {
		t.onReInvite(next, req, tx)
		return
	}
	policy := t.policyFor(req, false)
	if t.opts.policy.Mode == sessiontimer.Off && policy.Mode == sessiontimer.Off && sipmsg.Fields(req, policy).Required {
		// RFC 3261 §8.2.2.3: what is switched off is not supported. A single call
		// that is left alone may be one that is relayed.
		respond(tx, req, sip.StatusBadExtension, "Bad Extension", sip.NewHeader("Unsupported", sessiontimer.OptionTag))
		return
	}
	if policy.Mode == sessiontimer.Off || sipmsg.FromTag(req) == "" || req.CSeq() == nil || req.Contact() == nil || req.Contact().Address.Wildcard {
		next(req, tx)
		return
	}
	if err := sipmsg.Keepable(req); err != nil {
		t.leaveAlone(err, dialogstore.ID{CallID: sipmsg.CallID(req), RemoteTag: sipmsg.FromTag(req)})
		next(req, tx)
		return
	}
	in := &incoming{t: t, ServerTransaction: tx, req: req, fields: sipmsg.Fields(req, policy), policy: policy}
	t.warnMalformed(in.fields, dialogstore.ID{CallID: sipmsg.CallID(req), RemoteTag: sipmsg.FromTag(req)})
	if in.refused() {
		return
	}
	defer in.close()
	next(req, &firstTx{ServerTransaction: tx, in: in})
}

// onReInvite gives a re-INVITE to the application, or answers it.
func (t *Timers) onReInvite(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	t.awaitAck(req)
	in, d, err := t.inDialog(req, tx)
	if err != nil {
		next(req, tx)
		return
	}
	if in.outOfOrder(d) {
		return
	}
	defer in.count(d)
	late := t.host.Load().LateOffer
	mayOffer := late == nil || late(d)
	answer, here := in.answerInForce(mayOffer)
	here = here && (t.answersReInvite() || len(req.Body()) == 0 && !mayOffer)
	if here && in.refusesExtensions(d) || in.refused() || !in.openInvite() {
		return
	}
	defer in.closeInvite()
	if here {
		in.answerInvite(d, answer)
		return
	}
	next(req, in)
	in.resendUntilAck(false)
}

// onUpdate gives an UPDATE to the application's handler of UPDATEs, or answers it.
// rest is a handler of whatever has none, and gets what needs an application.
func (t *Timers) onUpdate(own, rest sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	next := either(own, rest)
	if len(req.Body()) > 0 {
		t.awaitAck(req)
	}
	in, d, err := t.inDialog(req, tx)
	if err != nil {
		if next != nil {
			t.pass(next, req, tx)
		} else {
			t.onOtherUpdate(req, tx)
		}
		return
	}
	if in.outOfOrder(d) {
		return
	}
	defer in.count(d)
	left := next == nil && t.leavesUpdate()
	answer, repeats := in.answerInForce(true)
	here := !left && in.answersUpdate(own, rest, d, repeats)
	if here && in.refusesExtensions(d) || in.refused() || !in.openUpdate() {
		return
	}
	defer in.closeUpdate()
	host := t.host.Load().Host
	switch {
	case left:
		in.reject(sip.StatusMethodNotAllowed, "Method Not Allowed")
	case here:
		in.answer(d, answer)
	case next != nil:
		next(req, in)
	case !described(req):
		in.reject(sip.StatusUnsupportedMediaType, "Unsupported Media Type", sip.NewHeader("Accept", offeranswer.SDP))
	case host.Invite != nil && t.offersUpdate():
		in.offerAsInvite(host)
	default:
		in.reject(sip.StatusNotAcceptableHere, "Not Acceptable Here")
	}
}

// answersUpdate reports whether an UPDATE is answered here, which may repeat what is
// agreed.
func (in *incoming) answersUpdate(own, rest sipgo.RequestHandler, d dialogstore.Dialog, repeats bool) bool {
	switch {
	case len(in.req.Body()) > 0:
		return either(own, rest) == nil && repeats
	case own == nil:
		return in.t.opts.answerUpdate || !in.t.leavesUpdate()
	}
	return in.t.opts.answerUpdate && len(in.unsupported(d)) == 0 // else its handler may know more
}

// onOtherUpdate takes an UPDATE outside the dialogs that are stored, for which
// the application has no handler.
func (t *Timers) onOtherUpdate(req *sip.Request, tx sip.ServerTransaction) {
	l := t.sets.Find(sipmsg.CallID(req), sipmsg.ToTag(req))
	var told dialogset.Told
	var ringing bool
	if l != nil {
		told, ringing = l.Early(sipmsg.FromTag(req))
	}
	switch {
	case l != nil && l.Lives(sipmsg.FromTag(req)):
		// The dialog is just being stored. A 481 would end the call.
		respond(tx, req, sip.StatusInternalServerError, "Server Internal Error", retryAfter())
	case ringing && len(req.Body()) == 0:
		t.answerEarly(told, req, tx)
	case ringing:
		respond(tx, req, sip.StatusNotAcceptableHere, "Not Acceptable Here")
	case l == nil && t.leavesCallsAlone():
		// A call with timers off, or of which the application is a proxy, is none
		// of ours, and the application has no handler.
		respond(tx, req, sip.StatusMethodNotAllowed, "Method Not Allowed")
	default:
		respond(tx, req, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
	}
}

// answerEarly accepts an UPDATE without an offer in an early dialog. It settles
// nothing: the timer begins with the INVITE's 2xx.
func (t *Timers) answerEarly(told dialogset.Told, req *sip.Request, tx sip.ServerTransaction) {
	if tags := unknown(req, told.Extensions); len(tags) > 0 {
		t.refuseExtensions(tx, req, tags)
		return
	}
	res := acceptance(req, nil)
	if told.Contact != nil {
		res.AppendHeader(sip.HeaderClone(told.Contact))
	}
	t.markAnswer(res, sessiontimer.Answer{})
	_ = tx.Respond(res)
}

// onAck keeps the ACK of a re-INVITE that was answered here from an application
// that never saw the INVITE, unless it tells of other media.
func (t *Timers) onAck(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	id := dialogstore.ID{CallID: sipmsg.CallID(req), LocalTag: sipmsg.ToTag(req), RemoteTag: sipmsg.FromTag(req)}
	t.heard(id)
	if m := t.dialogOf(context.Background(), id); m != nil && req.CSeq() != nil {
		answered, local := m.Acked(req.CSeq().SeqNo)
		moved := !answered.IsZero() && t.confirmed(m, id, answered, req, local)
		if local && !moved {
			return
		}
		defer m.HadAck(req.CSeq().SeqNo)
	}
	if next != nil {
		next(req, tx)
	}
}

// onBye ends the session once the application has accepted the BYE; one that it
// challenges does not.
func (t *Timers) onBye(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	id := dialogstore.ID{CallID: sipmsg.CallID(req), LocalTag: sipmsg.ToTag(req), RemoteTag: sipmsg.FromTag(req)}
	l := t.setOf(context.Background(), id)
	if l == nil {
		if next != nil {
			next(req, tx)
		}
		return
	}
	m := l.Dialog(id.RemoteTag)
	t.awaitCommit(m)
	if m != nil && m.EndedByUs() || next == nil {
		// It crossed ours; the application's dialog is gone.
		t.ended(context.Background(), l, id.RemoteTag, sessiontimer.CausePeerHungUp)
		respond(tx, req, sip.StatusOK, "OK")
		return
	}
	next(req, &byeTx{ServerTransaction: tx, t: t, req: req, id: id})
}

// byeTx notices how a BYE is answered.
type byeTx struct {
	sip.ServerTransaction
	t   *Timers
	req *sip.Request
	id  dialogstore.ID
}

// Respond implements sip.ServerTransaction. With a 2xx the dialog is over, and with a
// 481 the application knows none.
func (b *byeTx) Respond(res *sip.Response) error {
	if res.IsSuccess() || res.StatusCode == sip.StatusCallTransactionDoesNotExists && b.inOrder() {
		// The leg may be another one by now, so long may an application take.
		if l := b.t.setOf(context.Background(), b.id); l != nil {
			b.t.ended(context.Background(), l, b.id.RemoteTag, sessiontimer.CausePeerHungUp)
		}
	}
	return b.ServerTransaction.Respond(res)
}

// inOrder reports whether the BYE has a number above those that the peer has used. An
// old one is refused by a dialog that lives on (RFC 3261 §12.2.2).
func (b *byeTx) inOrder() bool {
	d, err := b.t.store.Load(context.Background(), b.id)
	if err != nil || b.req.CSeq() == nil {
		return false
	}
	last := d.RemoteCSeq
	if m := b.t.dialogOf(context.Background(), b.id); m != nil {
		last = m.LastOf(last)
	}
	return last == 0 || b.req.CSeq().SeqNo > last
}

func respond(tx sip.ServerTransaction, req *sip.Request, status int, reason string, headers ...sip.Header) {
	res := sip.NewResponseFromRequest(req, status, reason, nil)
	for _, h := range headers {
		res.AppendHeader(h)
	}
	_ = tx.Respond(res)
}

// retryAfter is the random pause of RFC 3261 §14.2 and RFC 3311 §5.2.
func retryAfter() sip.Header {
	return sip.NewHeader("Retry-After", strconv.Itoa(rand.IntN(11)))
}

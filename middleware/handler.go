package middleware

import (
	"context"
	"math/rand/v2"
	"strconv"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Handler wraps a request handler: one of INVITE, UPDATE, ACK and BYE, or one
// for several methods. Others pass at the cost of a comparison. It keeps no
// state of its own and may be made anew for each request. A nil next leaves
// UPDATE to the timers and answers nothing else.
func (t *Timers) Handler(next sipgo.RequestHandler) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		switch req.Method {
		case sip.INVITE:
			t.onInvite(next, req, tx)
		case sip.UPDATE:
			t.onUpdate(next, req, tx)
		case sip.ACK:
			t.onAck(next, req, tx)
		case sip.BYE:
			t.onBye(next, req, tx)
		default:
			next(req, tx)
		}
	}
}

func (t *Timers) onInvite(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	if next == nil {
		return
	}
	if toTag(req) != "" {
		t.onReInvite(next, req, tx)
		return
	}
	policy := t.policyFor(req, false)
	if policy.Mode == sessiontimer.Off || fromTag(req) == "" || req.CSeq() == nil || req.Contact() == nil {
		next(req, tx)
		return
	}
	in := &incoming{t: t, ServerTransaction: tx, req: req, fields: readFields(req), policy: policy}
	t.warnMalformed(in.fields, legKey{callID: callID(req)}, fromTag(req))
	if in.refused() {
		return
	}
	defer in.close()
	next(req, in)
}

// onReInvite gives a re-INVITE to the application, or answers it.
func (t *Timers) onReInvite(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	in, d, ok := t.inDialog(req, tx)
	if !ok {
		next(req, tx)
		return
	}
	if in.outOfOrder(d) || in.refused() || !in.openInvite() {
		return
	}
	defer in.closeInvite()
	if t.answersReInvite() && len(d.SDP) > 0 && unchanged(req, d) {
		in.answerInvite(d)
		return
	}
	next(req, in)
	in.resendUntilAck(false)
}

func (t *Timers) onUpdate(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	in, d, ok := t.inDialog(req, tx)
	if !ok {
		t.onEarlyUpdate(next, req, tx)
		return
	}
	if in.outOfOrder(d) || in.refused() {
		return
	}
	if len(req.Body()) == 0 && (t.opts.answerUpdate || next == nil) {
		in.answer(d, nil, "")
		return
	}
	if !in.openUpdate() {
		return
	}
	defer in.closeUpdate()
	invite := t.host.Load().Invite
	switch {
	case next != nil:
		next(req, in)
	case len(d.SDP) > 0 && unchanged(req, d):
		in.answer(d, d.SDP, d.SDPType)
	case invite != nil && t.offersUpdate():
		in.offerAsInvite(invite)
	default:
		in.reject(sip.StatusNotAcceptableHere, "Not Acceptable Here")
	}
}

// onEarlyUpdate takes an UPDATE outside the dialogs that are kept: in an early
// dialog, whose timer the INVITE's 2xx will settle, in a call without timers, or
// in none.
func (t *Timers) onEarlyUpdate(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	if next != nil {
		next(req, tx)
		return
	}
	l := t.legs.find(callID(req), toTag(req))
	switch {
	case l == nil || !l.early():
		respond(tx, req, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
	case len(req.Body()) > 0:
		respond(tx, req, sip.StatusNotAcceptableHere, "Not Acceptable Here")
	default:
		res := sip.NewResponseFromRequest(req, sip.StatusOK, "OK", nil)
		if l.contact != "" {
			res.AppendHeader(sip.NewHeader("Contact", l.contact))
		}
		t.markAnswer(res, sessiontimer.Answer{})
		_ = tx.Respond(res)
	}
}

// onAck keeps the ACK of a re-INVITE that was answered here from an application
// that never saw the INVITE.
func (t *Timers) onAck(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	if l := t.legs.find(callID(req), toTag(req)); l != nil && req.CSeq() != nil {
		if len(req.Body()) > 0 {
			t.renew(context.Background(), l.id(fromTag(req)), func(d dialogstore.Dialog) dialogstore.Dialog {
				d.PeerSDP = req.Body()
				return d
			})
		}
		if l.acked(req.CSeq().SeqNo) {
			return
		}
	}
	if next != nil {
		next(req, tx)
	}
}

// onBye ends the session once the application has accepted the BYE; one that it
// challenges does not.
func (t *Timers) onBye(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	l := t.legs.find(callID(req), toTag(req))
	if l == nil {
		if next != nil {
			next(req, tx)
		}
		return
	}
	remote := fromTag(req)
	if l.endedByUs(remote) || next == nil {
		// It crossed ours; the application's dialog is gone.
		t.ended(context.Background(), l, remote)
		respond(tx, req, sip.StatusOK, "OK")
		return
	}
	next(req, &byeTx{ServerTransaction: tx, accepted: func() { t.ended(context.Background(), l, remote) }})
}

// byeTx notices how a BYE is answered.
type byeTx struct {
	sip.ServerTransaction
	accepted func()
}

// Respond implements sip.ServerTransaction.
func (b *byeTx) Respond(res *sip.Response) error {
	if res.IsSuccess() || res.StatusCode == sip.StatusCallTransactionDoesNotExists {
		b.accepted()
	}
	return b.ServerTransaction.Respond(res)
}

// unchanged tells that a session description is the peer's last one, or that
// there is none.
func unchanged(req *sip.Request, d dialogstore.Dialog) bool {
	return len(req.Body()) == 0 || string(req.Body()) == string(d.PeerSDP)
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

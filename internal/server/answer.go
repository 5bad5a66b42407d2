package server

import (
	"context"
	"errors"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// offerInForce returns the offer in the 2xx to a re-INVITE without a description, from the
// descriptions already agreed on. It returns false if that needs the application: while
// media is on hold the re-INVITE may be meant to resume the call, and only the application
// can offer that (RFC 3261 §14.2). mayOffer is true if the application can make such an
// offer.
func (l *laterRequest) offerInForce(mayOffer bool) (offeranswer.Description, bool) {
	agreed := l.dialog.Agreed()
	return agreed.Reoffer(), len(agreed.Ours.Body) > 0 && !(mayOffer && agreed.Held())
}

// answerInForce returns the answer to an offer that changes nothing, from the descriptions
// already agreed on. It returns false if the offer needs the application, or if there is
// none.
func (l *laterRequest) answerInForce() (offeranswer.Description, bool) {
	offer, ok := offeranswer.Find(sipmsg.ContentType(l.req), l.req.Body())
	if !ok {
		return offeranswer.Description{}, false
	}
	agreed := l.dialog.Agreed()
	if !agreed.Repeats(offer) || agreed.Raised(offer) {
		return offeranswer.Description{}, false
	}
	return agreed.Answer(offer)
}

// answer accepts an UPDATE or re-INVITE without the application.
func (l *laterRequest) answer(d dialogstore.Dialog, answer offeranswer.Description) {
	res := acceptance(l.req, answer.Body)
	if d.Contact != "" {
		res.AppendHeader(sip.NewHeader("Contact", d.Contact))
	}
	if len(answer.Body) > 0 {
		res.AppendHeader(sip.NewHeader("Content-Type", answer.Type))
	}
	if err := l.acceptHere(res); err != nil {
		l.s.calls.Log.Warn("cannot accept the peer's refresh", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag, "error", err)
	}
}

// acceptHere sends a 2xx made here, or a 481 if the dialog has ended meanwhile. A 2xx that
// is too long for a datagram is replaced by a 500: a refusal does not end the call, but
// silence would (RFC 4028 §10).
func (l *laterRequest) acceptHere(res *sip.Response) error {
	now := time.Now()
	d, err := l.s.calls.Store.Load(context.Background(), l.id)
	if err != nil {
		l.reject(sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
		return nil
	}
	a := l.mark(res, l.policy.Respond(l.fields, d.Session, now))
	if !sipmsg.Fits(res, l.req) {
		l.reject(sip.StatusInternalServerError, "Server Internal Error")
		return sip.ErrUDPMTUCongestion
	}
	if first, err := l.accept(res); !first {
		return err
	}
	return l.accepted(l.send(res, a, now))
}

// acceptance returns a 2xx made here. Record-Route has no effect within a dialog (RFC 3261
// §12.1.1), so one with too many routes is not copied from an UPDATE.
func acceptance(req *sip.Request, body []byte) *sip.Response {
	status := sip.StatusOK
	if req.Method == sip.UPDATE && errors.Is(sipmsg.Keepable(req), sipmsg.ErrRoutes) {
		status = sip.StatusBadRequest // sipgo would copy the routes into a 2xx
	}
	res := sip.NewResponseFromRequest(req, status, "OK", body)
	res.StatusCode = sip.StatusOK
	return res
}

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

// answerInForce is what answers a request of the peer that changes nothing; false if
// there is no such answer, or the application is needed. An INVITE without a
// description may be meant to resume a session on hold, which only the application can
// offer (RFC 3261 §14.2), if it may.
func (l *laterRequest) answerInForce(mayOffer bool) (offeranswer.Description, bool) {
	if len(l.req.Body()) == 0 {
		if !l.req.IsInvite() {
			return offeranswer.Description{}, false
		}
		agreed := l.dialog.Agreed()
		return agreed.Reoffer(), len(agreed.Ours.Body) > 0 && !(mayOffer && agreed.Held())
	}
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
		l.s.calls.Log.Warn("refresh not answered", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag, "error", err)
	}
}

// acceptHere sends a 2xx of ours, or a refusal if the dialog has ended meanwhile. One
// that would not pass is replaced too: no answer at all would end the call (RFC 4028
// §10), a refusal does not.
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

// acceptance is a 2xx of ours. Where it makes no dialog the Record-Route means nothing
// (RFC 3261 §12.1.1), and what no request can have passed is not copied from an UPDATE.
func acceptance(req *sip.Request, body []byte) *sip.Response {
	status := sip.StatusOK
	if req.Method == sip.UPDATE && errors.Is(sipmsg.Keepable(req), sipmsg.ErrRoutes) {
		status = sip.StatusBadRequest // sipgo copies the routes into any 2xx
	}
	res := sip.NewResponseFromRequest(req, status, "OK", body)
	res.StatusCode = sip.StatusOK
	return res
}

package server

import (
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Update passes an UPDATE to the application, or answers it. own is the handler for UPDATE.
// rest is the handler for methods without one, and gets only UPDATEs that need the
// application.
func (s *Server) Update(own, rest sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	next := Either(own, rest)
	if len(req.Body()) > 0 {
		s.awaitAck(req)
	}
	l, d, err := s.later(req, tx)
	switch {
	case err == nil:
	case s.elsewhere(req, tx):
		return
	case next != nil:
		s.pass(next, req, tx)
		return
	default:
		s.otherUpdate(req, tx)
		return
	}
	if s.handedOver(req, tx) || l.outOfOrder(d) {
		return
	}
	defer l.count(d)
	orphan := s.calls.Orphan(d.ID)
	if orphan {
		own, rest, next = nil, nil, nil
	}
	left := next == nil && !orphan && s.calls.LeavesUpdate()
	answer, repeats := l.answerInForce()
	here := !left && l.answersUpdate(own, rest, d, repeats)
	if here && l.refusesExtensions(d) || l.tooSmall() {
		return
	}
	if !l.begin(&updateTurn{dialog: l.dialog}, l.dialog.OpenUpdate(calls.Described(req))) {
		return
	}
	defer l.close()
	app := s.calls.Application()
	switch {
	case left:
		l.reject(sip.StatusMethodNotAllowed, "Method Not Allowed")
	case here:
		l.answer(d, answer)
	case next != nil:
		next(req, l)
	case !calls.Described(req):
		l.reject(sip.StatusUnsupportedMediaType, "Unsupported Media Type", sip.NewHeader("Accept", offeranswer.SDP))
	case app.Invite != nil && s.calls.OffersUpdate() && !orphan:
		l.offerAsInvite(app)
	default:
		l.reject(sip.StatusNotAcceptableHere, "Not Acceptable Here")
	}
}

// answersUpdate reports whether the timers answer an UPDATE. repeats is true if its session
// description changes nothing.
func (l *laterRequest) answersUpdate(own, rest sipgo.RequestHandler, d dialogstore.Dialog, repeats bool) bool {
	switch {
	case len(l.req.Body()) > 0:
		return Either(own, rest) == nil && repeats
	case own == nil:
		return l.s.calls.AnswersBodilessUpdate() || !l.s.calls.LeavesUpdate() || l.s.calls.Orphan(d.ID)
	}
	// The handler may know an extension that is not listed.
	return l.s.calls.AnswersBodilessUpdate() && len(calls.UnknownWithin(&d, l.req)) == 0
}

// otherUpdate answers an UPDATE whose dialog is not stored, if the application has no
// handler.
func (s *Server) otherUpdate(req *sip.Request, tx sip.ServerTransaction) {
	set := s.calls.Sets.Find(sipmsg.CallID(req), sipmsg.ToTag(req))
	var told dialogset.Told
	var ringing bool
	if set != nil {
		told, ringing = set.Early(sipmsg.FromTag(req))
	}
	switch {
	case set != nil && set.Lives(sipmsg.FromTag(req)):
		// The dialog is about to be stored: a 481 would end the call.
		respond(tx, req, sip.StatusInternalServerError, "Server Internal Error", retryAfter())
	case ringing && len(req.Body()) == 0:
		s.answerEarly(told, req, tx)
	case ringing:
		respond(tx, req, sip.StatusNotAcceptableHere, "Not Acceptable Here")
	case set == nil && s.calls.LeavesCallsAlone():
		// The call may exist without timers: they are off for it, or the application is a
		// proxy. It has no handler for UPDATE.
		respond(tx, req, sip.StatusMethodNotAllowed, "Method Not Allowed")
	default:
		respond(tx, req, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
	}
}

// answerEarly accepts an UPDATE without an offer in an early dialog. It starts no timer:
// that starts with the 2xx to the INVITE.
func (s *Server) answerEarly(told dialogset.Told, req *sip.Request, tx sip.ServerTransaction) {
	if tags := calls.Unknown(req, told.Extensions); len(tags) > 0 {
		s.refuseExtensions(tx, req, tags)
		return
	}
	res := acceptance(req, nil)
	if told.Contact != nil {
		res.AppendHeader(sip.HeaderClone(told.Contact))
	}
	s.calls.MarkAnswer(res, sessiontimer.Answer{})
	_ = tx.Respond(res)
}

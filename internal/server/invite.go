package server

import (
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
	"github.com/sipgo-contrib/sessiontimer/internal/stall"
)

// Invite handles an INVITE.
func (s *Server) Invite(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	switch {
	case next == nil:
	case sipmsg.ToTag(req) != "":
		s.reInvite(next, req, tx)
	default:
		s.firstInvite(next, req, tx)
	}
}

func (s *Server) firstInvite(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	policy := s.calls.PolicyFor(req, false)
	if s.calls.SwitchedOff() && policy.Mode == sessiontimer.Off && sipmsg.Fields(req, policy).Required {
		// RFC 3261 §8.2.2.3: timers that are switched off are not supported. If only this
		// call has none, the application may be a proxy for it and must get the INVITE.
		respond(tx, req, sip.StatusBadExtension, "Bad Extension", sip.NewHeader("Unsupported", sessiontimer.OptionTag))
		return
	}
	if policy.Mode == sessiontimer.Off || sipmsg.FromTag(req) == "" || req.CSeq() == nil || req.Contact() == nil || req.Contact().Address.Wildcard {
		next(req, tx)
		return
	}
	id := dialogstore.ID{CallID: sipmsg.CallID(req), RemoteTag: sipmsg.FromTag(req)}
	if err := sipmsg.Keepable(req); err != nil {
		s.calls.LeaveAlone(err, id)
		next(req, tx)
		return
	}
	f := &firstInvite{request: request{ServerTransaction: tx, s: s, req: req, fields: sipmsg.Fields(req, policy), policy: policy}}
	s.calls.WarnMalformed(f.fields, id)
	if f.refused() {
		return
	}
	defer f.close()
	next(req, &firstTx{ServerTransaction: tx, invite: f})
}

// reInvite passes a re-INVITE to the application, or answers it.
func (s *Server) reInvite(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	s.awaitAck(req)
	l, d, err := s.later(req, tx)
	if err != nil {
		if !s.elsewhere(req, tx) {
			next(req, tx)
		}
		return
	}
	if s.handedOver(req, tx) || l.outOfOrder(d) {
		return
	}
	defer l.count(d)
	orphan := s.calls.Orphan(d.ID)
	mayOffer := !orphan && s.calls.MayOffer(d)
	answer, here := l.answerInForce()
	if len(req.Body()) == 0 {
		answer, here = l.offerInForce(mayOffer)
	}
	here = here && (orphan || s.calls.AnswersReInvite() || len(req.Body()) == 0 && !mayOffer)
	if here && l.refusesExtensions(d) || l.tooSmall() {
		return
	}
	invite, clash := l.dialog.OpenInvite(req.CSeq().SeqNo)
	if !l.begin(&inviteTurn{l.dialog, invite}, clash) {
		return
	}
	defer l.close()
	switch {
	case here:
		l.answerInvite(invite, d, answer)
	case orphan:
		l.reject(sip.StatusNotAcceptableHere, "Not Acceptable Here")
	default:
		next(req, l)
		l.resendUntilAck(invite)
	}
}

// answerInvite accepts a re-INVITE that changes nothing, and waits for its ACK. If none
// comes, it hangs up (RFC 3261 §14.2).
func (l *laterRequest) answerInvite(invite *dialogset.PeerInvite, d dialogstore.Dialog, answer offeranswer.Description) {
	l.dialog.AnswerHere(invite)
	l.answer(d, answer)
	if !l.resendUntilAck(invite) {
		l.s.hangup(l.s.calls.Context, l.set, l.id.RemoteTag, sessiontimer.Reason{Cause: sessiontimer.CauseNoACK})
	}
}

// resendUntilAck retransmits the 2xx of a re-INVITE until its ACK arrives (RFC 3261
// §13.3.1.4), since the application may not do so. It returns false if none came within
// 64*T1.
func (l *laterRequest) resendUntilAck(invite *dialogset.PeerInvite) bool {
	res := l.sent()
	if res == nil {
		return true
	}
	limit := stall.NewDeadline(64 * sip.T1)
	interval := sip.T1
	timer := time.NewTimer(interval)
	for {
		select {
		case <-invite.Acked():
			return true
		case <-timer.C:
			interval = min(2*interval, sip.T2)
			timer.Reset(interval)
			_ = l.ServerTransaction.Respond(res)
		case <-limit.C:
			if limit.Over(time.Now()) { // else the process was stalled, and the ACK may be unread
				return false
			}
		case <-l.s.calls.Context.Done():
			return true
		}
		if !l.set.Lives(l.id.RemoteTag) {
			return true
		}
	}
}

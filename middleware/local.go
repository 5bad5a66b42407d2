package middleware

import (
	"errors"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
	"github.com/sipgo-contrib/sessiontimer/internal/stall"
)

// answer accepts an UPDATE or re-INVITE without the application.
func (in *incoming) answer(d dialogstore.Dialog, answer offeranswer.Description) {
	res := acceptance(in.req, answer.Body)
	if d.Contact != "" {
		res.AppendHeader(sip.NewHeader("Contact", d.Contact))
	}
	if len(answer.Body) > 0 {
		res.AppendHeader(sip.NewHeader("Content-Type", answer.Type))
	}
	in.local = true
	if err := in.Respond(res); err != nil {
		in.t.log.Warn("refresh not answered", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag, "error", err)
	}
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

// answerInvite accepts a re-INVITE that changes nothing, and sees to its ACK.
func (in *incoming) answerInvite(d dialogstore.Dialog, answer offeranswer.Description) {
	in.flight.AnswerHere(in.invite)
	in.answer(d, answer)
	in.resendUntilAck(true)
}

// resendUntilAck sends the 2xx of a re-INVITE again until its ACK arrives
// (RFC 3261 §13.3.1.4), for applications that do not. Without one for 64*T1 the
// session is over (§14.2); strict says that this is ours to decide.
func (in *incoming) resendUntilAck(strict bool) {
	in.mu.Lock()
	res := in.success
	in.mu.Unlock()
	if res == nil {
		return
	}
	due := time.Now().Add(64 * sip.T1)
	limit := time.NewTimer(64 * sip.T1)
	defer limit.Stop()
	interval := sip.T1
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-in.invite.Acked():
			return
		case <-timer.C:
			interval = min(2*interval, sip.T2)
			timer.Reset(interval)
			_ = in.ServerTransaction.Respond(res)
		case <-limit.C:
			if now := time.Now(); stall.Late(due, now) { // the ACK may be unread
				due = now.Add(stall.Settling)
				limit.Reset(stall.Settling)
				continue
			}
			if strict {
				in.t.hangup(in.t.ctx, in.dialogs, in.id.RemoteTag, sessiontimer.Reason{Cause: sessiontimer.CauseNoACK})
			}
			return
		case <-in.t.ctx.Done():
			return
		}
		if !in.dialogs.Lives(in.id.RemoteTag) {
			return
		}
	}
}

// offerAsInvite hands an UPDATE with an offer to an application that answers
// re-INVITEs, as one, and its answer back as that of the UPDATE.
func (in *incoming) offerAsInvite(host Host) {
	invite := in.req.Clone()
	invite.Method = sip.INVITE
	invite.ReplaceHeader(&sip.CSeqHeader{SeqNo: in.req.CSeq().SeqNo, MethodName: sip.INVITE})
	tx := &updateTx{incoming: in}
	defer func() { // also if the handler panics
		if !tx.final {
			in.reject(sip.StatusNotAcceptableHere, "Not Acceptable Here")
		}
	}()
	host.Invite(invite, tx)
	if tx.accepted && host.Ack != nil {
		acknowledgeOffer(host.Ack, invite)
	}
}

// updateTx turns the responses to a made-up INVITE into those of the UPDATE.
type updateTx struct {
	*incoming
	final, accepted bool
}

// Respond implements sip.ServerTransaction. An UPDATE gets no provisional
// response but 100, and one final response: 491 or 500 for now, or 488 (RFC 3311
// §5.2), for what else an application finds does not fit an UPDATE.
func (u *updateTx) Respond(res *sip.Response) error {
	if res.IsProvisional() || u.final {
		return nil
	}
	u.final = true
	switch {
	case res.StatusCode == sip.StatusRequestPending:
		u.reject(sip.StatusRequestPending, "Request Pending")
		return nil
	case res.StatusCode == sip.StatusInternalServerError:
		u.reject(sip.StatusInternalServerError, "Server Internal Error", retryAfter())
		return nil
	case !res.IsSuccess():
		u.reject(sip.StatusNotAcceptableHere, "Not Acceptable Here")
		return nil
	}
	res.ReplaceHeader(&sip.CSeqHeader{SeqNo: u.req.CSeq().SeqNo, MethodName: sip.UPDATE})
	err := u.incoming.Respond(res)
	u.accepted = err == nil
	return err
}

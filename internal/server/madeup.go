package server

import (
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/calls"
)

// offerAsInvite passes an UPDATE with an offer to the application as a re-INVITE, and sends
// its response as that to the UPDATE.
func (l *laterRequest) offerAsInvite(app calls.Application) {
	invite := l.req.Clone()
	invite.Method = sip.INVITE
	invite.ReplaceHeader(&sip.CSeqHeader{SeqNo: l.req.CSeq().SeqNo, MethodName: sip.INVITE})
	tx := &madeUpTx{laterRequest: l}
	defer func() { // also if the handler panics
		if !tx.final {
			l.reject(sip.StatusNotAcceptableHere, "Not Acceptable Here")
		}
	}()
	app.Invite(invite, tx)
	if tx.accepted && app.Ack != nil {
		calls.AcknowledgeOffer(app.Ack, invite)
	}
}

// madeUpTx turns the responses to the made-up INVITE into responses to the UPDATE.
type madeUpTx struct {
	*laterRequest
	final, accepted bool
}

// Respond implements sip.ServerTransaction. An UPDATE gets no provisional responses, and one
// final response. A 491 or 500 stays, and any other refusal becomes a 488 (RFC 3311 §5.2).
func (m *madeUpTx) Respond(res *sip.Response) error {
	if res.IsProvisional() || m.final {
		return nil
	}
	m.final = true
	switch {
	case res.StatusCode == sip.StatusRequestPending:
		m.reject(sip.StatusRequestPending, "Request Pending")
		return nil
	case res.StatusCode == sip.StatusInternalServerError:
		m.reject(sip.StatusInternalServerError, "Server Internal Error", retryAfter())
		return nil
	case !res.IsSuccess():
		m.reject(sip.StatusNotAcceptableHere, "Not Acceptable Here")
		return nil
	}
	res.ReplaceHeader(&sip.CSeqHeader{SeqNo: m.req.CSeq().SeqNo, MethodName: sip.UPDATE})
	err := m.laterRequest.Respond(res)
	m.accepted = err == nil
	return err
}

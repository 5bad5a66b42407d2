package server

import (
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/calls"
)

// offerAsInvite hands an UPDATE with an offer to an application that answers
// re-INVITEs, as one, and its answer back as that of the UPDATE.
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

// madeUpTx turns the responses to a made-up INVITE into those of the UPDATE.
type madeUpTx struct {
	*laterRequest
	final, accepted bool
}

// Respond implements sip.ServerTransaction. An UPDATE gets no provisional
// response but 100, and one final response: 491 or 500 for now, or 488 (RFC 3311
// §5.2), for what else an application finds does not fit an UPDATE.
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

package server

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// laterRequest is an INVITE or UPDATE within a dialog.
type laterRequest struct {
	request
	id     dialogstore.ID
	set    *dialogset.Set
	dialog *dialogset.Dialog
	turn   turn
	lapsed bool // its turn ended without a 2xx; guarded by mu
}

// later returns the laterRequest for req, with its dialog. The error is
// dialogstore.ErrNotFound if there is none.
func (s *Server) later(req *sip.Request, tx sip.ServerTransaction) (*laterRequest, dialogstore.Dialog, error) {
	id := within(req)
	s.heard(id)
	d, err := s.calls.Store.Load(context.Background(), id)
	if err != nil {
		return nil, d, err
	}
	set, dialog := s.calls.Sets.Resume(&d)
	if s.calls.Gone(d) {
		s.calls.Ended(context.Background(), set, id.RemoteTag, sessiontimer.CauseDialogClosed)
		return nil, d, dialogstore.ErrNotFound
	}
	l := &laterRequest{
		request: request{ServerTransaction: tx, s: s, req: req, fields: sipmsg.Fields(req, d.Policy), policy: d.Policy},
		id:      id,
		set:     set,
		dialog:  dialog,
		turn:    noTurn{},
	}
	if req.IsInvite() || len(req.Body()) > 0 {
		dialog.Recall(calls.AgreedOf(&d.State))
	}
	s.calls.WarnMalformed(l.fields, id)
	return l, d, nil
}

// outOfOrder refuses a request with a lower CSeq than one before (RFC 3261 §12.2.2), and
// reports whether it did.
func (l *laterRequest) outOfOrder(d dialogstore.Dialog) bool {
	if !l.dialog.Older(l.req.CSeq().SeqNo, d.RemoteCSeq) {
		return false
	}
	l.reject(sip.StatusInternalServerError, "Server Internal Error")
	return true
}

// count stores the CSeq of a refused request. The CSeq of an accepted one is committed with
// the 2xx.
func (l *laterRequest) count(d dialogstore.Dialog) {
	n := l.req.CSeq().SeqNo
	if l.sent() != nil || n <= d.RemoteCSeq {
		return
	}
	l.s.calls.Renew(context.Background(), l.id, func(d dialogstore.Dialog) dialogstore.State {
		d.RemoteCSeq = max(d.RemoteCSeq, n)
		return d.State
	})
}

// begin begins the turn t. If the request clashes with another one, it refuses the request
// and returns false.
func (l *laterRequest) begin(t turn, c dialogset.Clash) bool {
	switch c {
	case dialogset.NoClash:
		l.turn = t
		l.asks()
	case dialogset.WithOurs:
		l.reject(sip.StatusRequestPending, "Request Pending")
	case dialogset.WithTheirs:
		l.reject(sip.StatusInternalServerError, "Server Internal Error", retryAfter())
	}
	return c == dialogset.NoClash
}

// reject refuses the request here.
func (l *laterRequest) reject(status int, reason string, headers ...sip.Header) {
	l.refusing()
	respond(l.ServerTransaction, l.req, status, reason, headers...)
}

// refusing is called before a refusal is sent: the peer may send its next offer right after
// that.
func (l *laterRequest) refusing() {
	l.unanswered()
	l.turn.refusing()
}

// close ends the turn of a request that the application may not have answered.
func (l *laterRequest) close() {
	l.mu.Lock()
	l.lapsed = l.success == nil
	l.mu.Unlock()
	l.unanswered()
	l.turn.close()
}

// Respond implements sip.ServerTransaction. To a 2xx of the application it adds the session
// timer and, once that is sent, commits the changes (RFC 4028 §9).
func (l *laterRequest) Respond(res *sip.Response) error {
	if passed, _ := l.relayed(); passed {
		return l.ServerTransaction.Respond(res)
	}
	switch {
	case res.IsProvisional():
		return l.progress(l.dialog, res)
	case !res.IsSuccess():
		l.refuse()
		l.refusing()
		defer l.close() // after it is sent, so that our next request does not overtake it
		return l.hand(res)
	}
	first, err := l.accept(res)
	if !first {
		return err
	}
	return l.accepted(l.renew(res))
}

// renew marks a 2xx of the application, sends it and commits the changes.
func (l *laterRequest) renew(res *sip.Response) error {
	now := time.Now()
	l.s.calls.OwnTimers.In(res)
	var a sessiontimer.Answer
	if d, err := l.s.calls.Store.Load(context.Background(), l.id); err == nil {
		a = l.policy.Respond(l.fields, d.Session, now)
	}
	return l.send(res, l.mark(res, a), now)
}

// send sends a marked 2xx and commits the changes.
func (l *laterRequest) send(res *sip.Response, a sessiontimer.Answer, now time.Time) error {
	l.dialog.HandOver()
	defer l.dialog.HandedOver()
	if err := l.hand(res); err != nil {
		return err
	}
	l.commit(res, a, now)
	l.turn.accepted(now)
	return nil
}

func (l *laterRequest) commit(res *sip.Response, a sessiontimer.Answer, now time.Time) {
	r := calls.Renewal{Request: l.req, At: now, Fields: l.fields, Seen: indialog.SightingOf(l.req), Contact: res.Contact()}
	r.Agreed, r.News = l.accepts(res)
	before, stored := l.s.calls.Renew(context.Background(), l.id, func(d dialogstore.Dialog) dialogstore.State {
		return r.Answered(d, a.Session)
	})
	if stored && r.Renewed {
		l.s.calls.CountRefreshed(sessiontimer.Peer, l.req.Method, &before)
	}
	if stored {
		calls.Moved(l.dialog, &before, r.Seen, l.localAddr)
	}
}

// asks notes the session description in the request.
func (l *laterRequest) asks() { l.dialog.Said(offeranswer.Peer, calls.Requested(l.req), "") }

// accepts notes the session description in a 2xx.
func (l *laterRequest) accepts(res *sip.Response) (agreed offeranswer.Agreed, news bool) {
	l.mu.Lock()
	lapsed := l.lapsed
	l.mu.Unlock()
	if lapsed { // the handler had returned, but sipgo still sends the 2xx to an INVITE
		l.asks()
	}
	return l.dialog.Said(offeranswer.Us, calls.Responded(l.req, res), "")
}

// unanswered notes that an offer in the request is refused, or gets no answer. Before its turn
// begins the request has made none, and after a 2xx that says it all.
func (l *laterRequest) unanswered() {
	if l.turn == (noTurn{}) || l.sent() != nil {
		return
	}
	l.s.calls.Says(context.Background(), l.dialog, l.id, offeranswer.Us, calls.Refused(l.req))
}

package server

import (
	"context"
	"errors"
	"sync"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// request is the common part of firstInvite and laterRequest: the transaction as the
// application sees it. The first 2xx that was sent counts; further ones are
// retransmissions. Changes are committed only if the 2xx was sent.
type request struct {
	sip.ServerTransaction
	s      *Server
	req    *sip.Request
	fields sessiontimer.Fields
	policy sessiontimer.Policy

	mu      sync.Mutex
	success *sip.Response // the 2xx; further ones are retransmissions
	refusal bool          // the application has refused the request
	failed  bool          // a 2xx could not be sent
	passed  bool          // the application has forwarded the request as a proxy
}

// tooSmall refuses a request whose interval is too small (RFC 4028 §9), and reports whether
// it did.
func (r *request) tooSmall() bool {
	minSE, small := r.policy.TooSmall(r.fields)
	if !small {
		return false
	}
	r.s.calls.Log.Info("request refused with 422: session interval too small", "call_id", sipmsg.CallID(r.req), "local_tag", sipmsg.ToTag(r.req), "remote_tag", sipmsg.FromTag(r.req),
		"interval", r.fields.SessionExpires.Interval, "min_se", minSE)
	respond(r.ServerTransaction, r.req, sessiontimer.StatusIntervalTooSmall, sessiontimer.StatusIntervalTooSmallPhrase,
		sip.NewHeader(sessiontimer.HeaderMinSE, sessiontimer.FormatSeconds(minSE)))
	return true
}

// relayed reports whether the application has forwarded the request as a proxy, and whether
// this call is the first to notice.
func (r *request) relayed() (passed, now bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now = !r.passed && r.s.calls.Relays.Have(sipmsg.CallID(r.req))
	r.passed = r.passed || now
	return r.passed, now
}

// refuse notes that the application refuses the request.
func (r *request) refuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusal = r.refusal || r.success == nil
}

// accept reports whether res is the first 2xx. If so, the caller sends it and calls
// accepted. Otherwise accept sends it as a retransmission.
func (r *request) accept(res *sip.Response) (first bool, err error) {
	r.mu.Lock()
	sent, refused := r.success, r.refusal
	if sent == nil && !refused {
		r.success = res
	}
	r.mu.Unlock()
	switch {
	case refused:
		return false, sip.ErrTransactionTerminated // sipgo would keep it, and send it in place of the refusal
	case sent != nil:
		again(sent, res)
		return false, r.ServerTransaction.Respond(res)
	}
	return true, nil
}

// accepted notes whether the first 2xx was sent. If not, the next one is the first.
func (r *request) accepted(err error) error {
	if err != nil {
		r.mu.Lock()
		r.success = nil
		r.mu.Unlock()
	}
	return err
}

// sent returns the 2xx; nil if there is none.
func (r *request) sent() *sip.Response {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.success
}

// progress sends a provisional response and notes its session description. The peer's PRACK
// or UPDATE may arrive before that; HandOver makes it wait.
func (r *request) progress(dialog *dialogset.Dialog, res *sip.Response) error {
	if dialog == nil || len(res.Body()) == 0 {
		return r.hand(res)
	}
	dialog.HandOver()
	defer dialog.HandedOver()
	err := r.hand(res)
	if err == nil {
		id := dialogstore.ID{CallID: sipmsg.CallID(res), LocalTag: sipmsg.ToTag(res), RemoteTag: sipmsg.FromTag(res)}
		r.s.calls.Says(context.Background(), dialog, id, offeranswer.Us, calls.Responded(r.req, res)) // an answer if it is reliable
	}
	return err
}

// hand passes a response to the transaction. It returns nil if the response was sent, even
// if the transaction reports an error.
func (r *request) hand(res *sip.Response) error {
	before := r.Err()
	err := r.ServerTransaction.Respond(res)
	switch {
	case err == nil || res.IsSuccess() && before != nil && errors.Is(err, before) && r.sendsOn(before):
		return nil
	case errors.Is(err, sip.ErrTransactionCanceled) && res.StatusCode != sip.StatusRequestTerminated:
		// sipgo keeps what it refuses, and would send it again in place of the 487.
		respond(r.ServerTransaction, r.req, sip.StatusRequestTerminated, "Request Terminated")
	case res.IsSuccess() && (before == nil || !errors.Is(err, before)):
		r.mu.Lock()
		r.failed = true
		r.mu.Unlock()
	}
	return err
}

// sendsOn reports whether a transaction with the error before still sends a 2xx. sipgo's
// does after Terminate, as when the handler has returned without an answer, and for an
// INVITE after an earlier 2xx could not be sent.
func (r *request) sendsOn(before error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed {
		return r.req.IsInvite()
	}
	return errors.Is(before, sip.ErrTransactionTerminated)
}

// mark adds the session timer to a 2xx, unless it would then be too long for a datagram. It
// returns the answer that the 2xx now has.
func (r *request) mark(res *sip.Response, a sessiontimer.Answer) sessiontimer.Answer {
	r.s.calls.MarkAnswer(res, a)
	if r.s.calls.UnmarkToFit(res, r.req) {
		return a
	}
	r.s.calls.Log.Warn("no session timer: with it the response would be too long for a datagram", "call_id", sipmsg.CallID(r.req),
		"local_tag", sipmsg.ToTag(res), "remote_tag", sipmsg.FromTag(r.req))
	return sessiontimer.Answer{}
}

// localAddr returns our address on the connection of the request; empty if unknown.
func (r *request) localAddr() string {
	c, ok := r.ServerTransaction.(interface{ Connection() sip.Connection })
	if !ok {
		return ""
	}
	return sipmsg.LocalAddr(c.Connection())
}

// again copies the session timer from the 2xx that was sent to res, a 2xx that the
// application has built again.
func again(sent, res *sip.Response) {
	if res == sent {
		return
	}
	for _, name := range [...]struct{ long, short string }{
		{"Supported", "k"}, {"Require", ""}, {"Allow", ""}, {sessiontimer.HeaderSessionExpires, "x"}, {sessiontimer.HeaderMinSE, ""},
	} {
		sipmsg.Copy(res, sent, name.long, name.short)
	}
}

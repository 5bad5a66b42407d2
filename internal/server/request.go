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

// request is what a first INVITE and the later requests of the peer have in common:
// the transaction in which the application answers, of whose 2xx the first one counts
// that goes out.
//
// Nothing counts that the peer was not sent: a 2xx is given to the transaction first,
// and what it settles is committed if that took it.
type request struct {
	sip.ServerTransaction
	s      *Server
	req    *sip.Request
	fields sessiontimer.Fields
	policy sessiontimer.Policy

	mu      sync.Mutex
	success *sip.Response // the 2xx; further ones are retransmissions
	refusal bool          // there is another final response
	failed  bool          // a 2xx could not be sent
	passed  bool          // to another user agent: the application is a proxy
}

// tooSmall refuses a request that asks for too short an interval (RFC 4028 §9).
func (r *request) tooSmall() bool {
	minSE, small := r.policy.TooSmall(r.fields)
	if !small {
		return false
	}
	r.s.calls.Log.Info("session interval too small", "call_id", sipmsg.CallID(r.req), "local_tag", sipmsg.ToTag(r.req), "remote_tag", sipmsg.FromTag(r.req),
		"interval", r.fields.SessionExpires.Interval, "min_se", minSE)
	respond(r.ServerTransaction, r.req, sessiontimer.StatusIntervalTooSmall, sessiontimer.StatusIntervalTooSmallPhrase,
		sip.NewHeader(sessiontimer.HeaderMinSE, sessiontimer.FormatSeconds(minSE)))
	return true
}

// relayed reports whether the request was passed on by now, and whether that is seen
// for the first time. It stays so.
func (r *request) relayed() (passed, now bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now = !r.passed && r.s.calls.Relays.Have(sipmsg.CallID(r.req))
	r.passed = r.passed || now
	return r.passed, now
}

// refuse notes that the application sends a final response that is no 2xx.
func (r *request) refuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusal = r.refusal || r.success == nil
}

// accept reports whether res is the first 2xx: whoever sends it calls accepted then.
// Another one is sent here.
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

// accepted notes whether the first 2xx went out. After an error another may.
func (r *request) accepted(err error) error {
	if err != nil {
		r.mu.Lock()
		r.success = nil
		r.mu.Unlock()
	}
	return err
}

// sent is the 2xx; nil if there is none.
func (r *request) sent() *sip.Response {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.success
}

// progress sends a provisional response. What is to be UPDATEd in answer to it is there
// before, and its PRACK, which may be faster, waits until it is noted.
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

// hand gives a response to the transaction. It returns no error if the response
// went out.
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

// sendsOn reports whether a transaction that had an error before sends a 2xx
// nevertheless. sipgo's does after its Terminate, as when the handler returned without
// an answer, and in reply to an INVITE after another 2xx that could not be sent.
func (r *request) sendsOn(before error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed {
		return r.req.IsInvite()
	}
	return errors.Is(before, sip.ErrTransactionTerminated)
}

// mark marks a 2xx as far as it fits a datagram, and returns what it says then.
func (r *request) mark(res *sip.Response, a sessiontimer.Answer) sessiontimer.Answer {
	r.s.calls.MarkAnswer(res, a)
	if r.s.calls.UnmarkToFit(res, r.req) {
		return a
	}
	r.s.calls.Log.Warn("no session timer: the response would not pass", "call_id", sipmsg.CallID(r.req),
		"local_tag", sipmsg.ToTag(res), "remote_tag", sipmsg.FromTag(r.req))
	return sessiontimer.Answer{}
}

// localAddr is our address on the connection of the request; empty if unknown.
func (r *request) localAddr() string {
	c, ok := r.ServerTransaction.(interface{ Connection() sip.Connection })
	if !ok {
		return ""
	}
	return sipmsg.LocalAddr(c.Connection())
}

// again marks a 2xx that was built anew like the one sent.
func again(sent, res *sip.Response) {
	if res == sent {
		return
	}
	for _, h := range sent.Headers() {
		switch name := h.Name(); name {
		case "Supported", "Require", "Allow", sessiontimer.HeaderSessionExpires:
			sipmsg.Set(res, name, "", h.Value())
		}
	}
}

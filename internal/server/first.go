package server

import (
	"context"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// firstInvite is an INVITE that may make a dialog.
type firstInvite struct {
	request

	// The early dialog; nil before a response has a To tag. Guarded by mu.
	set    *dialogset.Set
	dialog *dialogset.Dialog
}

// refused answers an INVITE that cannot be accepted as it is (RFC 4028 §9): 422
// where it asks for too little, 421 where a timer is required and the peer has
// none.
func (f *firstInvite) refused() bool {
	if f.tooSmall() {
		f.s.calls.CountRefused(calls.Incoming)
		return true
	}
	if f.policy.Mode == sessiontimer.Require && !f.fields.Supported {
		f.s.calls.CountRefused(calls.Incoming)
		respond(f.ServerTransaction, f.req, sip.StatusExtensionRequired, "Extension Required",
			sip.NewHeader("Require", sessiontimer.OptionTag))
		return true
	}
	return false
}

// isRelayed reports whether the INVITE was passed on by now. A provisional response
// of ours made an early dialog then, which nobody has.
func (f *firstInvite) isRelayed() bool {
	passed, now := f.relayed()
	if now {
		f.close()
	}
	return passed
}

// Respond sends what the application answers. It marks a 2xx and, once the transaction
// has taken it, stores the dialog that it makes (RFC 4028 §9).
func (f *firstInvite) Respond(res *sip.Response) error {
	switch {
	case f.isRelayed():
		return f.ServerTransaction.Respond(res)
	case res.IsProvisional():
		_, dialog := f.ring(res)
		return f.progress(dialog, res)
	case !res.IsSuccess():
		f.refuse()
		f.close()
		return f.hand(res)
	}
	first, err := f.accept(res)
	switch {
	case !first:
		return err
	case sipmsg.ToTag(res) == "":
		return f.accepted(f.hand(res)) // makes no dialog
	}
	return f.accepted(f.create(res))
}

// ring finds the dialog that a response makes, an early one before the 2xx. One
// with another tag makes another: an application that keeps no dialogs may have a
// tag for each response.
func (f *firstInvite) ring(res *sip.Response) (*dialogset.Set, *dialogset.Dialog) {
	tag := sipmsg.ToTag(res)
	f.mu.Lock()
	defer f.mu.Unlock()
	if tag != "" && (f.set == nil || f.set.ID("").LocalTag != tag) {
		f.abandon()
		f.set = f.s.calls.Sets.Open(sipmsg.CallID(f.req), tag)
		f.dialog = f.set.Ring(sipmsg.FromTag(f.req), f.req.CSeq().SeqNo, dialogset.ToldBy(res))
		f.dialog.Said(offeranswer.Peer, calls.Requested(f.req), "")
	}
	return f.set, f.dialog
}

// close forgets an INVITE of which no dialog came.
func (f *firstInvite) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.success == nil {
		f.abandon()
	}
}

// abandon forgets an early dialog. f.mu is held.
func (f *firstInvite) abandon() {
	if f.set != nil && f.set.Abandon(f.dialog) {
		f.s.calls.Sets.Drop(f.set)
	}
}

// create sends the 2xx and stores the dialog that it makes. That is there before the
// 2xx, so that whoever knows of the call finds it in the store, and told of after it.
func (f *firstInvite) create(res *sip.Response) error {
	c, now := f.s.calls, time.Now()
	c.OwnTimers.Heed(&f.policy, res, sessiontimer.UAS)
	a := f.mark(res, f.policy.Respond(f.fields, sessiontimer.Session{}, now))
	set, dialog := f.ring(res)
	c.Sets.Touch(set) // it may have rung for long; a sweep is not to drop it now
	answer := calls.Responded(f.req, res)
	o := calls.Opening{Request: f.req, Response: res, At: now, Policy: f.policy, Session: a.Session, Fields: f.fields,
		Agreed: dialog.AgreedAfter(answer), Transport: sip.NetworkToLower(f.req.Transport()), LocalAddr: f.localAddr(), LocalCSeq: dialog.Count.LastCSeq()}
	if o.Transport == "udp" {
		c.CameInAt(o.LocalAddr)
	}
	var d dialogstore.Dialog
	o.Answered(&d)
	dialog.HandOver()
	defer dialog.HandedOver()
	err := c.Store.Create(calls.Quietly, d)
	if unsent := f.hand(res); unsent != nil {
		if err == nil {
			_, _ = c.Store.Delete(calls.Quietly, d.ID)
		}
		return unsent
	}
	dialog.Said(offeranswer.Us, answer, d.RemoteTag)
	dialog.Accepted()
	dialog.ExpectAck(f.req.CSeq().SeqNo, now, f.s.forgetUnlessProved(d.ID, dialog))
	if err == nil {
		c.Negotiated(&d)
	}
	c.Stored(context.Background(), set, &d, err)
	return nil
}

// firstTx is the transaction of a first INVITE as the application sees it. Dialogs
// keep theirs for as long as a call lasts, so it lets go of what it took to answer.
type firstTx struct {
	sip.ServerTransaction

	mu     sync.Mutex
	invite *firstInvite  // nil once there is a 2xx
	sent   *sip.Response // the 2xx
}

// Respond implements sip.ServerTransaction.
func (f *firstTx) Respond(res *sip.Response) error {
	f.mu.Lock()
	invite, sent := f.invite, f.sent
	if res.IsSuccess() && invite != nil && !invite.isRelayed() {
		f.invite, f.sent = nil, res
	}
	f.mu.Unlock()
	switch {
	case invite == nil:
		if res.IsSuccess() {
			again(sent, res)
		}
		return f.ServerTransaction.Respond(res)
	case !res.IsSuccess():
		return invite.Respond(res)
	}
	err := invite.Respond(res)
	if err != nil {
		f.mu.Lock()
		f.invite, f.sent = invite, nil // it was not sent, another may be
		f.mu.Unlock()
	}
	return err
}

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

// firstInvite is an INVITE outside a dialog.
type firstInvite struct {
	request

	// The early dialog; nil until a response has a To tag. Guarded by mu.
	set    *dialogset.Set
	dialog *dialogset.Dialog
}

// refused refuses an INVITE (RFC 4028 §9) with 422 if the interval is too small, or with
// 421 if our policy requires a timer and the peer does not support it. It reports whether
// it did.
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

// isRelayed reports whether the application has forwarded the INVITE as a proxy. It forgets
// an early dialog that an earlier provisional response made.
func (f *firstInvite) isRelayed() bool {
	passed, now := f.relayed()
	if now {
		f.close()
	}
	return passed
}

// Respond sends a response of the application. To a 2xx it adds the session timer, and it
// stores the dialog (RFC 4028 §9).
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

// ring returns the dialog of a response, which is early before the 2xx. If the To tag differs
// from that of the previous response, it makes a new dialog: an application without dialogs
// may use a new tag for each response.
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

// close forgets the early dialog, unless there was a 2xx.
func (f *firstInvite) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.success == nil {
		f.abandon()
	}
}

// abandon forgets the early dialog. f.mu is held.
func (f *firstInvite) abandon() {
	if f.set != nil && f.set.Abandon(f.dialog) {
		f.s.calls.Sets.Drop(f.set)
	}
}

// create stores the dialog and sends the 2xx, in this order: the peer's next request must
// find the dialog. The event is raised after the 2xx was sent.
func (f *firstInvite) create(res *sip.Response) error {
	c, now := f.s.calls, time.Now()
	c.OwnTimers.Heed(&f.policy, res, sessiontimer.UAS)
	a := f.mark(res, f.policy.Respond(f.fields, sessiontimer.Session{}, now))
	set, dialog := f.ring(res)
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

// firstTx is the transaction of a first INVITE as the application sees it. sipgo's dialogs
// keep it for the whole call, so it drops the firstInvite after the 2xx.
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

package middleware

import (
	"context"
	"errors"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// RFC 3261 §8.2.6.2: a response has to name the call. The application's dialog, if
// it makes one of it, has another name than any that we could end.
var errOtherCall = errors.New("middleware: the response names another call")

// settle commits what a 2xx to a request of ours settled (RFC 4028 §7.2): the
// session of a dialog, or of the one that it makes.
func (t *Timers) settle(ctx context.Context, x *exchange, res *sip.Response) {
	if sipmsg.CallID(res) != x.dialogs.ID("").CallID || sipmsg.FromTag(res) != x.dialogs.ID("").LocalTag {
		t.leaveAlone(errOtherCall, x.dialogs.ID(sipmsg.ToTag(res)))
		return
	}
	fields := sipmsg.Fields(res, x.policy)
	switch {
	case x.remoteTag != "":
		t.settleAgain(ctx, x, res, fields)
	case x.req.IsInvite() && sipmsg.ToTag(res) != "":
		t.settleFirst(ctx, x, res, fields, time.Now())
	}
}

func (t *Timers) settleAgain(ctx context.Context, x *exchange, res *sip.Response, fields sessiontimer.Fields) {
	now := time.Now()
	t.warnMalformed(fields, x.dialogs.ID(x.remoteTag))
	agreed, news := x.flight.Said(offeranswer.Peer, responded(x.req, res), x.remoteTag)
	seen := sightingIn(res)
	before, ok := t.renew(ctx, x.dialogs.ID(x.remoteTag), func(d dialogstore.Dialog) dialogstore.Dialog {
		before := d.Session
		d.Session = x.settles(fields, before, now)
		if x.req.Method == sip.UPDATE {
			d.NoUpdate = false // whatever made us think so
		}
		d.NoUpdate = d.NoUpdate || x.noUpdate
		if before.Since.After(x.sentAt) { // a 2xx of ours crossed this one
			d.Session = crossed(d.Session, before)
		}
		d.LastMethod = string(x.req.Method)
		learnPeer(&d, fields)
		if !locate(&d, seen) && x.remember != nil {
			d.Answered = *x.remember
		}
		if !x.own && relocate(&d, x.req.Contact()) {
			if laddr := x.laddr(); laddr != "" {
				d.LocalAddr = laddr
			}
		}
		if news {
			agreeOn(&d, agreed)
		}
		return d
	})
	if !ok {
		return
	}
	moved(x.flight, &before, seen, x.laddr)
	if x.own && news {
		t.followMedia(ctx, &before, agreed)
	}
}

// settles is the session of a 2xx that arrived at now. Where that says nothing, the time
// of the refresh stays as it was before, and what its delay took off is not taken off
// twice.
func (x *exchange) settles(fields sessiontimer.Fields, before sessiontimer.Session, now time.Time) sessiontimer.Session {
	if x.req.Method != sip.UPDATE {
		return x.policy.Settle(x.proposal, fields, before, now)
	}
	delay := now.Sub(x.sentAt)
	if before.RefreshAfter > 0 {
		before.RefreshAfter = min(before.RefreshAfter+delay, before.Interval/2)
	}
	return x.policy.Settle(x.proposal, fields, before, now).Delayed(delay)
}

// crossed is s, which the later of two 2xx settled that crossed. To the peer the
// other may be the later: we refresh in time for both.
func crossed(s, other sessiontimer.Session) sessiontimer.Session {
	if s.Refresher == sessiontimer.Local && other.Active() {
		s.RefreshAfter = min(s.RefreshAt().Sub(s.Since), other.Interval/2)
	}
	return s
}

// settleFirst makes the dialog of a 2xx that arrived at now.
func (t *Timers) settleFirst(ctx context.Context, x *exchange, res *sip.Response, fields sessiontimer.Fields, now time.Time) {
	m := x.dialogs.Accept(sipmsg.ToTag(res))
	if m == nil {
		return
	}
	t.warnMalformed(fields, x.dialogs.ID(sipmsg.ToTag(res)))
	if err := sipmsg.Keepable(res); err != nil {
		t.leaveAlone(err, x.dialogs.ID(sipmsg.ToTag(res)))
		return
	}
	d := dialogstore.Dialog{
		ID:         x.dialogs.ID(sipmsg.ToTag(res)),
		LocalURI:   sipmsg.Value(x.req.From()),
		RemoteURI:  sipmsg.Value(res.To()),
		RouteSet:   sipmsg.RouteSet(res, true),
		Transport:  x.transport,
		LocalAddr:  x.laddr(),
		LocalCSeq:  m.Count.LastCSeq(),
		Session:    x.policy.Settle(x.proposal, fields, sessiontimer.Session{}, now),
		LastMethod: string(sip.INVITE),
		OwnsCallID: true,
		Policy:     x.policy,
	}
	if h := x.req.Contact(); h != nil {
		d.Contact = sipmsg.Value(h)
	}
	d.Supported = sipmsg.OptionTags(x.req, "Supported", "k")
	d.Require, d.ProxyRequire = sipmsg.OptionTags(x.req, "Require", ""), sipmsg.OptionTags(x.req, "Proxy-Require", "")
	agreeOn(&d, m.AcceptedBy(requested(x.req), responded(x.req, res)))
	learnPeer(&d, x.heard[sipmsg.ToTag(res)])
	learnPeer(&d, fields)
	if locate(&d, sightingIn(res)); d.RemoteTarget == "" {
		d.RemoteTarget = sipmsg.Text(&x.req.Recipient)
	}
	if t.requesterFor(d) != x.r {
		m.SendBy(x.r.client)
	}
	t.stored(ctx, x.dialogs, &d, t.store.Create(ctx, d))
}

// stored sees to it that a dialog which has ended by now is not kept. err is what the
// store said to the caller: a Dialog handed on once more would take its stack again.
func (t *Timers) stored(ctx context.Context, l *dialogset.Set, d *dialogstore.Dialog, err error) {
	if err != nil {
		t.log.Error("dialog not stored, it has no session timer", "call_id", d.CallID, "local_tag", d.LocalTag,
			"remote_tag", d.RemoteTag, "error", err)
		return
	}
	if !l.Lives(d.RemoteTag) {
		t.delete(ctx, d.ID, l.Of(d.RemoteTag).EndedFor())
	}
}

// renew updates a dialog that may have ended meanwhile, and returns what it was.
func (t *Timers) renew(ctx context.Context, id dialogstore.ID, change func(dialogstore.Dialog) dialogstore.Dialog) (before dialogstore.Dialog, ok bool) {
	before, _, err := t.store.Update(ctx, id, func(d dialogstore.Dialog) (dialogstore.Dialog, error) { return change(d), nil })
	if err != nil && !errors.Is(err, dialogstore.ErrNotFound) {
		t.log.Error("dialog not updated", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag, "error", err)
	}
	return before, err == nil
}

// acknowledged takes an ACK of the application: it may answer a late offer, and
// tells where the application sends, unless we have led it.
func (t *Timers) acknowledged(ctx context.Context, id dialogstore.ID, m *dialogset.Dialog, ack *sip.Request, led bool) {
	agreed, news := m.Said(offeranswer.Us, requested(ack), id.RemoteTag)
	d, err := t.store.Load(ctx, id)
	if err != nil {
		return
	}
	dest := destination(ack, d)
	if led {
		dest = ""
	}
	if !news && (dest == "" || dest == d.Destination) {
		return
	}
	t.renew(ctx, id, func(d dialogstore.Dialog) dialogstore.Dialog {
		if dest != "" {
			d.Destination = dest
		}
		if news {
			agreeOn(&d, agreed)
		}
		return d
	})
}

// setOf finds the set of a dialog, also of one that only the store knows, since it
// was idle or another process began it; nil if there is none. A ctx that is done
// changes nothing: sipgo sends such a request too, and it must be numbered.
func (t *Timers) setOf(ctx context.Context, id dialogstore.ID) *dialogset.Set {
	l := t.sets.Find(id.CallID, id.LocalTag)
	if l != nil && l.Dialog(id.RemoteTag) != nil {
		return l
	}
	if resumed := t.resume(detached(ctx), id); resumed != nil {
		return resumed
	}
	return l
}

// dialogOf is setOf for the dialog itself.
func (t *Timers) dialogOf(ctx context.Context, id dialogstore.ID) *dialogset.Dialog {
	if l := t.setOf(ctx, id); l != nil {
		return l.Dialog(id.RemoteTag)
	}
	return nil
}

// resume makes the set of a dialog anew. It is apart from setOf, which each message
// passes, for the stack that a Dialog takes.
func (t *Timers) resume(ctx context.Context, id dialogstore.ID) *dialogset.Set {
	d, err := t.store.Load(ctx, id)
	if err != nil {
		return nil
	}
	l, _ := t.sets.Resume(d)
	return l
}

// ended forgets a dialog that the application or the peer ended.
func (t *Timers) ended(ctx context.Context, l *dialogset.Set, remoteTag string, cause sessiontimer.Cause) {
	why := sessiontimer.Reason{Cause: cause}
	first, last := l.End(remoteTag, false, why)
	if !first {
		return
	}
	t.delete(ctx, l.ID(remoteTag), why)
	if last {
		t.sets.DropLater(l)
	}
}

// reasonKey is the key of the sessiontimer.Reason in the context of a deletion, by
// which the observer learns why.
type reasonKey struct{}

func (t *Timers) delete(ctx context.Context, id dialogstore.ID, why sessiontimer.Reason) {
	ctx = context.WithValue(ctx, reasonKey{}, why)
	if _, err := t.store.Delete(ctx, id); err != nil && !errors.Is(err, dialogstore.ErrNotFound) {
		t.log.Error("dialog not deleted", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag, "error", err)
	}
}

// learnPeer notes what a message of the peer tells of its abilities.
func learnPeer(d *dialogstore.Dialog, f sessiontimer.Fields) {
	d.PeerTimer = d.PeerTimer || f.Supported || d.Session.Refresher == sessiontimer.Peer
	if f.HasAllow {
		d.PeerUpdate = f.AllowUpdate
	}
}

// relocate moves our own Contact to where the application says in an INVITE or
// UPDATE, or a 2xx to one: that is where the peer sends from then on, and a
// refresh with the one before would undo it (RFC 6141 §4.4). It returns false if
// nothing changes, as with a Contact that lacks what sipgo fills in.
func relocate(d *dialogstore.Dialog, contact *sip.ContactHeader) bool {
	if contact == nil || contact.Address.Host == "" || contact.Value() == d.Contact {
		return false
	}
	var known sip.Uri
	if err := sip.ParseUri(sipmsg.AddrSpec(d.Contact), &known); err == nil && contact.Address.Port == 0 && contact.Address.Host == known.Host {
		return false
	}
	d.Contact = contact.Value()
	return true
}

// leaveAlone leaves a call to the application that cannot be kept.
func (t *Timers) leaveAlone(err error, id dialogstore.ID) {
	t.leftAlone.Store(true)
	t.log.Warn("no session timer for the call", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag, "error", err)
}

func (t *Timers) warnMalformed(f sessiontimer.Fields, id dialogstore.ID) {
	if f.Malformed != nil {
		t.log.Warn("session-timer header field malformed", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag,
			"error", f.Malformed)
	}
}

package middleware

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/stall"
)

// Anybody can send an INVITE in the name of somebody else. Only who has got our 2xx
// knows our tag: until the ACK, or another request with it, there may be nobody at
// the Contact, or somebody who did not call. Until then the call is neither refreshed
// nor hung up by us, and no copy of it goes to the application's store. Without an
// ACK for 64*T1 it is forgotten, and left to the application as without timers: an
// application that then sends BYE must be able to (RFC 3261 §13.3.1.4). A session
// that has expired by then ends for it as any other, but for our BYE.

// forgetUnlessProved forgets a dialog that the peer does not prove in time.
func (t *Timers) forgetUnlessProved(id dialogstore.ID) *time.Timer {
	return time.AfterFunc(64*sip.T1, func() {
		ctx := context.Background()
		d, err := t.store.Load(ctx, id)
		if err != nil || !d.Unproved || t.ctx.Err() != nil {
			return
		}
		l, m := t.legs.resume(d)
		if m.patient(time.Now()) {
			return
		}
		t.log.Info("no ACK, the call is forgotten", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag)
		if d.Session.Active() && !time.Now().Before(d.Session.HangupAt()) {
			_ = t.end(ctx, l, id.RemoteTag, sessiontimer.Reason{Cause: sessiontimer.CauseNoACK})
		}
		t.ended(ctx, l, id.RemoteTag, sessiontimer.CauseNoACK)
		if !l.needed() {
			t.legs.drop(l)
		}
	})
}

// heard takes a request of the peer within a dialog as the proof that it is there. It
// waits for the commit of what the peer may know already.
func (t *Timers) heard(id dialogstore.ID) {
	l := t.legs.find(id.CallID, id.LocalTag)
	if l == nil {
		return
	}
	m := l.member(id.RemoteTag)
	if t.awaitCommit(m); m == nil || !m.proved() {
		return
	}
	t.renew(context.Background(), id, func(d dialogstore.Dialog) dialogstore.Dialog {
		d.Unproved = false
		return d
	})
}

// patient reports whether the process was stalled when the proof was due, and waits
// on until it has been read.
func (m *member) patient(now time.Time) bool {
	m.Lock()
	defer m.Unlock()
	if m.forget == nil || !stall.Late(m.due, now) {
		return false
	}
	m.due = now.Add(stall.Settling)
	m.forget.Reset(stall.Settling)
	return true
}

// proved reports whether this is the first time that the peer proves to be there.
func (m *member) proved() bool {
	m.Lock()
	defer m.Unlock()
	forget := m.forget
	m.forget = nil
	return forget != nil && forget.Stop()
}

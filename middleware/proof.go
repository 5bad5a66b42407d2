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

// forgetUnlessProved forgets a dialog whose peer does not prove to be there in time.
func (t *Timers) forgetUnlessProved(l *leg, m *member) *time.Timer {
	return time.AfterFunc(64*sip.T1, func() {
		if m.unproved() && t.ctx.Err() == nil && !m.patient(time.Now()) {
			t.forget(context.Background(), l.id(m.remoteTag))
		}
	})
}

func (t *Timers) forget(ctx context.Context, id dialogstore.ID) {
	d, err := t.store.Load(ctx, id)
	if err != nil {
		return
	}
	t.log.Info("no ACK, the call is forgotten", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag)
	l, _ := t.legs.resume(d)
	if d.Session.Active() && !time.Now().Before(d.Session.HangupAt()) {
		_ = t.end(ctx, l, id.RemoteTag, sessiontimer.Reason{Cause: sessiontimer.CauseNoACK})
	}
	t.ended(ctx, l, id.RemoteTag, sessiontimer.CauseNoACK)
	if !l.needed() {
		t.legs.drop(l)
	}
}

// heard takes a request of the peer within a dialog as the proof that it is there. It
// waits for the commit of what the peer may know already.
func (t *Timers) heard(id dialogstore.ID) {
	l := t.legs.find(id.CallID, id.LocalTag)
	if l == nil {
		return
	}
	m := l.member(id.RemoteTag)
	if t.awaitCommit(m); m != nil && m.proved() {
		t.proved(context.Background(), id)
	}
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

// unproved reports whether the peer has not proved to be there. A process before this
// one leaves no such dialog.
func (m *member) unproved() bool {
	m.Lock()
	defer m.Unlock()
	return m.forget != nil
}

// proved notes that nothing is left to be proved, and reports whether something was.
func (m *member) proved() bool {
	m.Lock()
	defer m.Unlock()
	if m.forget == nil {
		return false
	}
	m.forget.Stop()
	m.forget = nil
	return true
}

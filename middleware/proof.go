package middleware

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// Anybody can send an INVITE in the name of somebody else. Only who has got our 2xx
// knows our tag: until the ACK, or another request with it, there may be nobody at
// the Contact, or somebody who did not call. Until then the call is neither refreshed
// nor hung up by us, and no copy of it goes to the application's store. Without an
// ACK for 64*T1 it is forgotten, and left to the application as without timers: an
// application that then sends BYE must be able to (RFC 3261 §13.3.1.4). A session
// that has expired by then ends for it as any other, but for our BYE.

// forgetUnlessProved forgets a dialog whose peer does not prove to be there in time.
func (t *Timers) forgetUnlessProved(id dialogstore.ID, m *dialogset.Dialog) *time.Timer {
	return time.AfterFunc(64*sip.T1, func() {
		if m.Unproved() && t.ctx.Err() == nil && !m.Patient(time.Now()) {
			t.forget(context.Background(), id)
		}
	})
}

func (t *Timers) forget(ctx context.Context, id dialogstore.ID) {
	d, err := t.store.Load(ctx, id)
	if err != nil {
		return
	}
	t.log.Info("no ACK, the call is forgotten", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag)
	l, _ := t.sets.Resume(d)
	if d.Session.Active() && !time.Now().Before(d.Session.HangupAt()) {
		_ = t.end(ctx, l, id.RemoteTag, sessiontimer.Reason{Cause: sessiontimer.CauseNoACK})
	}
	t.ended(ctx, l, id.RemoteTag, sessiontimer.CauseNoACK)
	if !l.Needed() {
		t.sets.Drop(l)
	}
}

// heard takes a request of the peer within a dialog as the proof that it is there. It
// waits for the commit of what the peer may know already.
func (t *Timers) heard(id dialogstore.ID) {
	l := t.sets.Find(id.CallID, id.LocalTag)
	if l == nil {
		return
	}
	m := l.Dialog(id.RemoteTag)
	if t.awaitCommit(m); m != nil && m.Proved() {
		t.proved(context.Background(), id)
	}
}

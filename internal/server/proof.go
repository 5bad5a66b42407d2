package server

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// Anybody can send an INVITE with a forged source and Contact. Only a peer that has received
// our 2xx knows our tag. Until the peer sends that tag back, in the ACK or another request,
// the timers neither refresh the call nor hang up, so that no request goes to a victim, and
// the call is not shared with other nodes. Without an ACK within 64*T1 the timers forget the
// call and leave it to the application, which may then send its BYE (RFC 3261 §13.3.1.4). If
// the session has expired by then, the application gets a BYE as usual, but the peer does not.

// forgetUnlessProved returns a timer that forgets the dialog after 64*T1 if the peer has not
// proved by then that it is there.
func (s *Server) forgetUnlessProved(id dialogstore.ID, d *dialogset.Dialog) *time.Timer {
	return time.AfterFunc(64*sip.T1, func() {
		if d.Unproved() && s.calls.Context.Err() == nil && !d.Patient(time.Now()) {
			s.forget(context.Background(), id)
		}
	})
}

func (s *Server) forget(ctx context.Context, id dialogstore.ID) {
	c := s.calls
	d, err := c.Store.Load(ctx, id)
	if err != nil {
		return
	}
	c.Log.Info("no ACK for the 2xx: the call has no session timer from now on", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag)
	set, _ := c.Sets.Resume(&d)
	if d.Session.Active() && !time.Now().Before(d.Session.HangupAt()) {
		c.End(ctx, set, id.RemoteTag, sessiontimer.Reason{Cause: sessiontimer.CauseNoACK}, nil)
	}
	c.Ended(ctx, set, id.RemoteTag, sessiontimer.CauseNoACK)
	if !set.Needed() {
		c.Sets.Drop(set)
	}
}

// heard notes that the peer has sent a request within a dialog, which proves that it is
// there. It waits until our latest message in the dialog, which the peer may have seen, is
// committed.
func (s *Server) heard(id dialogstore.ID) {
	set := s.calls.Sets.Find(id.CallID, id.LocalTag)
	if set == nil {
		return
	}
	d := set.Dialog(id.RemoteTag)
	if s.calls.AwaitCommit(d); d != nil && d.Proved() {
		s.calls.Proved(id)
	}
}

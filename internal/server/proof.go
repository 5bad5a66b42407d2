package server

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
	c.Log.Info("no ACK, the call is forgotten", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag)
	set, _ := c.Sets.Resume(d)
	if d.Session.Active() && !time.Now().Before(d.Session.HangupAt()) {
		c.End(ctx, set, id.RemoteTag, sessiontimer.Reason{Cause: sessiontimer.CauseNoACK}, nil)
	}
	c.Ended(ctx, set, id.RemoteTag, sessiontimer.CauseNoACK)
	if !set.Needed() {
		c.Sets.Drop(set)
	}
}

// heard takes a request of the peer within a dialog as the proof that it is there. It
// waits for the commit of what the peer may know already.
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

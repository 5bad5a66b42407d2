package server

import (
	"context"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Ack keeps the ACK of a re-INVITE that was answered here from an application
// that never saw the INVITE, unless it tells of other media.
func (s *Server) Ack(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	id := within(req)
	s.heard(id)
	if d := s.calls.DialogOf(context.Background(), id); d != nil && req.CSeq() != nil {
		answered, local := d.Acked(req.CSeq().SeqNo)
		moved := !answered.IsZero() && s.confirmed(d, id, answered, req, local)
		if local && !moved || s.calls.Orphan(id) {
			return
		}
		defer d.HadAck(req.CSeq().SeqNo)
	}
	if next != nil {
		next(req, tx)
	}
}

// lateACK is how long after a 2xx its ACK is late: the first 2xx was lost then, or
// the way is long.
const lateACK = time.Second

// confirmed takes the first ACK of a 2xx that was sent at answered. It may bring the
// answer to an offer. A late one is a sign of life: the caller counts from the 2xx
// that it saw, and so does the session that it refreshes. That is no refresh. It
// reports whether the ACK tells of other media an application that has not seen the
// INVITE, as local says.
func (s *Server) confirmed(dialog *dialogset.Dialog, id dialogstore.ID, answered time.Time, ack *sip.Request, local bool) (moved bool) {
	now := time.Now()
	late := now.Sub(answered) > lateACK
	agreed, news := dialog.Said(offeranswer.Peer, calls.Requested(ack), id.RemoteTag)
	if !late && !news {
		return false
	}
	before, ok := s.calls.Renew(calls.Quietly, id, func(d dialogstore.Dialog) dialogstore.Dialog {
		if late && d.Session.Refresher == sessiontimer.Peer && d.Session.Since.Equal(answered) {
			d.Session.Since = now
		}
		if news {
			calls.AgreeOn(&d, agreed)
		}
		return d
	})
	return ok && news && local && s.calls.MediaChanged(&before, agreed)
}

// awaitAck holds an offer of the peer back until the application has had the ACK
// before it: each message has a goroutine of its own, in which it may overtake the
// other, and an application that waits for an ACK refuses the offer, though the peer
// sent them in order (RFC 3261 §14.2, RFC 3311 §5.2). The wait is bounded: where the
// ACK got lost the 2xx is sent again meanwhile, and acknowledged.
func (s *Server) awaitAck(req *sip.Request) {
	set := s.calls.Sets.Find(sipmsg.CallID(req), sipmsg.ToTag(req))
	if set == nil {
		return
	}
	d := set.Dialog(sipmsg.FromTag(req))
	if d == nil {
		return
	}
	s.calls.AwaitCommit(d)
	had := d.AckToBeHad()
	if had == nil {
		return
	}
	patience := time.NewTimer(4 * sip.T1)
	defer patience.Stop()
	select {
	case <-had:
	case <-patience.C:
	case <-s.calls.Context.Done():
	}
}

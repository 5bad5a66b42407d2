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

// Ack handles an ACK. The application does not get the ACK of a re-INVITE that was answered
// here, unless the ACK changes the peer's media.
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

// lateACK is the time after a 2xx from which its ACK counts as late: the first 2xx was lost,
// or the network is slow.
const lateACK = time.Second

// confirmed handles the first ACK of a 2xx that was sent at answered. The ACK may carry the
// answer to an offer. If it is late and the peer refreshes, the session starts now, because
// the peer counts from the 2xx that it received; that is not a refresh. local is true if the
// INVITE was answered here. confirmed returns true if it was and the ACK changes the peer's
// media.
func (s *Server) confirmed(dialog *dialogset.Dialog, id dialogstore.ID, answered time.Time, ack *sip.Request, local bool) (moved bool) {
	now := time.Now()
	late := now.Sub(answered) > lateACK
	agreed, news := dialog.Said(offeranswer.Peer, calls.Requested(ack), id.RemoteTag)
	if !late && !news {
		return false
	}
	before, ok := s.calls.Renew(calls.Quietly, id, func(d dialogstore.Dialog) dialogstore.State {
		if late && d.Session.Refresher == sessiontimer.Peer && d.Session.Since.Equal(answered) {
			d.Session.Since = now
		}
		if news {
			calls.AgreeOn(&d.State, agreed)
		}
		return d.State
	})
	return ok && news && local && s.calls.MediaChanged(&before, agreed)
}

// awaitAck waits until the application has handled the ACK that the peer sent before req,
// an offer. sipgo runs each message in a goroutine of its own, so the offer may overtake
// the ACK, and an application that still waits for an ACK refuses offers (RFC 3261 §14.2,
// RFC 3311 §5.2). If the ACK was lost, the wait lasts until the ACK of the retransmitted
// 2xx, and no longer than 4*T1.
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
	select {
	case <-had:
	case <-time.After(4 * sip.T1):
	case <-s.calls.Context.Done():
	}
}

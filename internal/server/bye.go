package server

import (
	"context"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Bye ends the session once the application has accepted the BYE; one that it
// challenges does not.
func (s *Server) Bye(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	id := within(req)
	set := s.calls.SetOf(context.Background(), id)
	if set == nil {
		if next != nil {
			next(req, tx)
		}
		return
	}
	d := set.Dialog(id.RemoteTag)
	s.calls.AwaitCommit(d)
	if d != nil && d.EndedByUs() || next == nil || s.calls.Orphan(id) {
		// It crossed ours, or the call was taken over: the application has no dialog.
		s.calls.Ended(context.Background(), set, id.RemoteTag, sessiontimer.CausePeerHungUp)
		respond(tx, req, sip.StatusOK, "OK")
		return
	}
	next(req, &byeTx{ServerTransaction: tx, s: s, req: req, id: id})
}

// byeTx notices how a BYE is answered.
type byeTx struct {
	sip.ServerTransaction
	s   *Server
	req *sip.Request
	id  dialogstore.ID
}

// Respond implements sip.ServerTransaction. With a 2xx the dialog is over, and with a
// 481 the application knows none.
func (b *byeTx) Respond(res *sip.Response) error {
	if res.IsSuccess() || res.StatusCode == sip.StatusCallTransactionDoesNotExists && b.inOrder() {
		// The set may be another one by now, so long may an application take.
		if set := b.s.calls.SetOf(context.Background(), b.id); set != nil {
			b.s.calls.Ended(context.Background(), set, b.id.RemoteTag, sessiontimer.CausePeerHungUp)
		}
	}
	return b.ServerTransaction.Respond(res)
}

// inOrder reports whether the BYE has a number above those that the peer has used. An
// old one is refused by a dialog that lives on (RFC 3261 §12.2.2).
func (b *byeTx) inOrder() bool {
	d, err := b.s.calls.Store.Load(context.Background(), b.id)
	if err != nil || b.req.CSeq() == nil {
		return false
	}
	last := d.RemoteCSeq
	if m := b.s.calls.DialogOf(context.Background(), b.id); m != nil {
		last = m.LastOf(last)
	}
	return last == 0 || b.req.CSeq().SeqNo > last
}

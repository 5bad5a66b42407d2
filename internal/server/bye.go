package server

import (
	"context"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Bye passes a BYE to the application. The dialog ends when the application answers it with
// a 2xx; it may challenge the BYE first.
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
		// The application has no dialog: our BYE crossed this one, or the call was taken
		// over.
		s.calls.Ended(context.Background(), set, id.RemoteTag, sessiontimer.CausePeerHungUp)
		respond(tx, req, sip.StatusOK, "OK")
		return
	}
	next(req, &byeTx{ServerTransaction: tx, s: s, req: req, id: id})
}

// byeTx is the transaction of a BYE as the application sees it.
type byeTx struct {
	sip.ServerTransaction
	s   *Server
	req *sip.Request
	id  dialogstore.ID
}

// Respond implements sip.ServerTransaction. A 2xx ends the dialog, and so does a 481, which
// means that the application does not know the dialog.
func (b *byeTx) Respond(res *sip.Response) error {
	if res.IsSuccess() || res.StatusCode == sip.StatusCallTransactionDoesNotExists && b.inOrder() {
		// Look the set up again: the application may have taken so long that the former
		// one was dropped.
		if set := b.s.calls.SetOf(context.Background(), b.id); set != nil {
			b.s.calls.Ended(context.Background(), set, b.id.RemoteTag, sessiontimer.CausePeerHungUp)
		}
	}
	return b.ServerTransaction.Respond(res)
}

// inOrder reports whether the CSeq of the BYE is higher than any before. An older BYE is
// refused while the dialog goes on (RFC 3261 §12.2.2).
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

package server

import (
	"context"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// pass passes a PRACK, or an UPDATE in an early dialog, to the application. It does not
// affect the session timer, but may carry an offer or answer, which is noted.
func (s *Server) pass(next sipgo.RequestHandler, req *sip.Request, tx sip.ServerTransaction) {
	set := s.calls.Sets.Find(sipmsg.CallID(req), sipmsg.ToTag(req))
	if set == nil || req.CSeq() == nil || !calls.Described(req) {
		next(req, tx)
		return
	}
	d := set.Speaking(sipmsg.FromTag(req))
	if d == nil {
		next(req, tx)
		return
	}
	o := &offerTx{ServerTransaction: tx, calls: s.calls, dialog: d, id: set.ID(sipmsg.FromTag(req)), req: req}
	s.calls.Says(context.Background(), d, o.id, offeranswer.Peer, calls.Requested(req))
	defer o.says(calls.Refused(req)) // does nothing if it was answered
	next(req, o)
}

// offerTx is the transaction of such a request as the application sees it.
type offerTx struct {
	sip.ServerTransaction
	calls  *calls.Calls
	dialog *dialogset.Dialog
	id     dialogstore.ID
	req    *sip.Request
}

// Respond implements sip.ServerTransaction.
func (o *offerTx) Respond(res *sip.Response) error {
	o.dialog.HandOver()
	defer o.dialog.HandedOver()
	err := o.ServerTransaction.Respond(res)
	if err == nil {
		o.says(calls.Responded(o.req, res))
	}
	return err
}

func (o *offerTx) says(msg offeranswer.Message) {
	o.calls.Says(context.Background(), o.dialog, o.id, offeranswer.Us, msg)
}

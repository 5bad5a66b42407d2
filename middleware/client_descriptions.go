package middleware

import (
	"context"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// says notes that the request goes out. With another CSeq it is another offer.
func (x *exchange) says() {
	x.set(func() { x.cseq = x.req.CSeq().SeqNo })
	switch {
	case x.req.Method != sip.INVITE && x.req.Method != sip.UPDATE && x.req.Method != sip.PRACK:
	case x.remoteTag == "":
		x.flight.Invites(requested(x.req))
	default:
		x.flight.Said(offeranswer.Us, requested(x.req), x.remoteTag)
	}
}

// isTold notes a response that settles nothing but what it describes. A provisional one
// to a first INVITE is about an early dialog, a refusal about all of them.
func (x *exchange) isTold(ctx context.Context, res *sip.Response) {
	tag := x.remoteTag
	if tag == "" && res.IsProvisional() {
		tag = sipmsg.ToTag(res)
	}
	x.r.t.says(detached(ctx), x.flight, x.dialogs.ID(tag), offeranswer.Peer, responded(x.req, res))
}

// unanswered notes that there will be no response, which withdraws an offer as a
// refusal would.
func (x *exchange) unanswered() {
	m := offeranswer.Message{Status: sip.StatusRequestTimeout}
	x.set(func() { m.Method, m.CSeq = string(x.req.Method), x.cseq })
	x.r.t.says(context.Background(), x.flight, x.dialogs.ID(x.remoteTag), offeranswer.Peer, m)
}

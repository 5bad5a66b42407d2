package middleware

import (
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// awaitAck holds an offer of the peer back until the application has had the ACK
// before it: each message has a goroutine of its own, in which it may overtake the
// other, and an application that waits for an ACK refuses the offer, though the peer
// sent them in order (RFC 3261 §14.2, RFC 3311 §5.2). The wait is bounded: where the
// ACK got lost the 2xx is sent again meanwhile, and acknowledged.
func (t *Timers) awaitAck(req *sip.Request) {
	set := t.sets.Find(sipmsg.CallID(req), sipmsg.ToTag(req))
	if set == nil {
		return
	}
	d := set.Dialog(sipmsg.FromTag(req))
	if d == nil {
		return
	}
	t.awaitCommit(d)
	had := d.AckToBeHad()
	if had == nil {
		return
	}
	patience := time.NewTimer(4 * sip.T1)
	defer patience.Stop()
	select {
	case <-had:
	case <-patience.C:
	case <-t.ctx.Done():
	}
}

// acknowledgeOffer gives the application the ACK of an INVITE that was made of an
// UPDATE, for those that put the answer into effect with the ACK. There is none on the
// wire (RFC 3311 §5.2).
func acknowledgeOffer(handler sipgo.RequestHandler, invite *sip.Request) {
	ack := invite.Clone()
	ack.Method = sip.ACK
	ack.ReplaceHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.ACK})
	ack.RemoveHeader("Content-Type")
	ack.SetBody(nil)
	tx := &muteTx{done: make(chan struct{})}
	defer tx.Terminate()
	handler(ack, tx)
}

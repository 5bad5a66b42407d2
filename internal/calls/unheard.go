package calls

import (
	"fmt"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// The timers notify the application by calling its handler with a request as the peer would
// have sent it. The response is discarded.

// endApplication sends the application a BYE for a call that has ended. As for every
// incoming message, the handler runs in its own goroutine, since it may block. It is called
// after our BYE to the peer was sent, or after T1: a program may exit when its call ends,
// and must not take the BYE with it.
func (c *Calls) endApplication(d dialogstore.Dialog, reason sessiontimer.Reason, sent <-chan struct{}) {
	c.Workers.Run(func() {
		select {
		case <-sent:
		case <-time.After(sip.T1):
		}
		c.byeApplication(d, reason)
	})
}

func (c *Calls) byeApplication(d dialogstore.Dialog, reason sessiontimer.Reason) {
	handler := c.app.Load().Bye
	if handler == nil {
		c.Log.Warn("cannot tell the application that the call has ended: it has no BYE handler", "call_id", d.CallID,
			"local_tag", d.LocalTag, "remote_tag", d.RemoteTag)
		return
	}
	bye, err := requestOfPeer(d, sip.BYE, dialogset.NextCSeq(d.RemoteCSeq))
	if err != nil {
		c.Log.Error("cannot tell the application that the call has ended", "call_id", d.CallID,
			"local_tag", d.LocalTag, "remote_tag", d.RemoteTag, "error", err)
		return
	}
	bye.AppendHeader(ReasonHeader(reason))
	tx := &unheardTx{done: make(chan struct{})}
	defer tx.Terminate()
	defer c.Contain("BYE handler", d.ID)
	handler(bye, tx)
}

// ReasonHeader returns the Reason header field of a BYE (RFC 3326). If the node of the call
// died, the cause is 41 of Q.850, temporary failure.
func ReasonHeader(reason sessiontimer.Reason) sip.Header {
	if reason.Cause == sessiontimer.CauseTakenOver {
		return sip.NewHeader("Reason", fmt.Sprintf("Q.850;cause=41;text=%q", reason.String()))
	}
	return sip.NewHeader("Reason", fmt.Sprintf("SIP;cause=408;text=%q", reason.String()))
}

// reInviteApplication sends the application the peer's session description in a re-INVITE.
func (c *Calls) reInviteApplication(d dialogstore.Dialog) {
	invite, err := requestOfPeer(d, sip.INVITE, d.RemoteCSeq)
	if err != nil {
		c.Log.Error("cannot pass the peer's session description to the application", "call_id", d.CallID,
			"local_tag", d.LocalTag, "remote_tag", d.RemoteTag, "error", err)
		return
	}
	invite.RemoveHeader("Content-Type")
	invite.AppendHeader(sip.NewHeader("Content-Type", d.PeerSDPType))
	invite.SetBody(d.PeerSDP)
	tx := &unheardTx{done: make(chan struct{})}
	defer tx.Terminate()
	defer c.Contain("media handler", d.ID)
	app := c.Application()
	app.Media(invite, tx)
	if tx.accepted && app.Ack != nil {
		AcknowledgeOffer(app.Ack, invite)
	}
}

// AcknowledgeOffer sends the application an ACK for a made-up INVITE: some applications
// apply an answer only when the ACK arrives (RFC 3311 §5.2).
func AcknowledgeOffer(handler sipgo.RequestHandler, invite *sip.Request) {
	ack := invite.Clone()
	ack.Method = sip.ACK
	ack.ReplaceHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.ACK})
	ack.RemoveHeader("Content-Type")
	ack.SetBody(nil)
	tx := &unheardTx{done: make(chan struct{})}
	defer tx.Terminate()
	handler(ack, tx)
}

// requestOfPeer returns a request as the peer of d would send it.
func requestOfPeer(d dialogstore.Dialog, method sip.RequestMethod, cseq uint32) (*sip.Request, error) {
	var peer sip.Uri
	if err := sip.ParseUri(d.RemoteTarget, &peer); err != nil {
		return nil, err
	}
	mirror := d
	mirror.LocalURI, mirror.RemoteURI = d.RemoteURI, d.LocalURI
	mirror.RemoteTarget, mirror.RouteSet = sipmsg.AddrSpec(d.Contact), nil
	if mirror.RemoteTarget == "" {
		mirror.RemoteTarget = sipmsg.AddrSpec(d.LocalURI) // an application that sends no Contact
	}
	mirror.Contact = "<" + d.RemoteTarget + ">"
	req, err := indialog.Request(&mirror, method)
	if err != nil {
		return nil, err
	}
	via := &sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: req.Transport(), Host: peer.Host, Port: peer.Port}
	via.Params.Add("branch", sip.GenerateBranchN(16))
	req.PrependHeader(via)
	req.SetSource(peer.HostPort())
	sipmsg.SetCSeq(req, cseq)
	return req, nil
}

// unheardTx is the server transaction of such a request. Only the goroutine of the handler
// may use it, except for Done.
type unheardTx struct {
	done        chan struct{}
	onTerminate []sip.FnTxTerminate
	accepted    bool
}

// Respond implements sip.ServerTransaction.
func (u *unheardTx) Respond(res *sip.Response) error {
	u.accepted = u.accepted || res.IsSuccess()
	return nil
}

// Acks implements sip.ServerTransaction.
func (*unheardTx) Acks() <-chan *sip.Request { return nil }

// OnCancel implements sip.ServerTransaction.
func (*unheardTx) OnCancel(sip.FnTxCancel) bool { return true }

// Done implements sip.Transaction.
func (u *unheardTx) Done() <-chan struct{} { return u.done }

// Err implements sip.Transaction.
func (*unheardTx) Err() error { return nil }

// OnTerminate implements sip.Transaction.
func (u *unheardTx) OnTerminate(f sip.FnTxTerminate) bool {
	u.onTerminate = append(u.onTerminate, f)
	return true
}

// Terminate implements sip.Transaction.
func (u *unheardTx) Terminate() {
	select {
	case <-u.done:
		return
	default:
	}
	close(u.done)
	for _, f := range u.onTerminate {
		f("", nil)
	}
}

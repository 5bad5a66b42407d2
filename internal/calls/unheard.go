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

// The application learns what happens to its calls in the way that it knows: by a
// request that the peer could have sent, and whose answer nobody hears.

// endApplication gives the application the BYE of a call that is over. As for each
// message that arrives, its handler has a goroutine of its own: it may block. A program
// that ends with its call should not take our BYE along, though.
func (c *Calls) endApplication(d dialogstore.Dialog, reason sessiontimer.Reason, sent <-chan struct{}) {
	c.Workers.Run(func() {
		patience := time.NewTimer(sip.T1)
		defer patience.Stop()
		select {
		case <-sent:
		case <-patience.C:
		}
		c.byeApplication(d, reason)
	})
}

func (c *Calls) byeApplication(d dialogstore.Dialog, reason sessiontimer.Reason) {
	handler := c.app.Load().Bye
	if handler == nil {
		c.Log.Warn("no BYE handler: the application is not told that the call ended", "call_id", d.CallID,
			"local_tag", d.LocalTag, "remote_tag", d.RemoteTag)
		return
	}
	bye, err := requestOfPeer(d, sip.BYE, dialogset.NextCSeq(d.RemoteCSeq))
	if err != nil {
		c.Log.Error("the application is not told that the call ended", "call_id", d.CallID,
			"local_tag", d.LocalTag, "remote_tag", d.RemoteTag, "error", err)
		return
	}
	bye.AppendHeader(ReasonHeader(reason))
	tx := &unheardTx{done: make(chan struct{})}
	defer tx.Terminate()
	defer c.Contain("BYE handler", d.ID)
	handler(bye, tx)
}

// ReasonHeader is what a BYE says of why the call ends (RFC 3326). For a call that
// lost its node that is Q.850's temporary failure.
func ReasonHeader(reason sessiontimer.Reason) sip.Header {
	if reason.Cause == sessiontimer.CauseTakenOver {
		return sip.NewHeader("Reason", fmt.Sprintf("Q.850;cause=41;text=%q", reason.String()))
	}
	return sip.NewHeader("Reason", fmt.Sprintf("SIP;cause=408;text=%q", reason.String()))
}

// reInviteApplication gives the application the peer's description as a re-INVITE.
func (c *Calls) reInviteApplication(d dialogstore.Dialog) {
	invite, err := requestOfPeer(d, sip.INVITE, d.RemoteCSeq)
	if err != nil {
		c.Log.Error("the application is not told of the peer's media", "call_id", d.CallID,
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

// AcknowledgeOffer gives an application the ACK of an INVITE that never was on the wire,
// for those that put an answer into effect with the ACK (RFC 3311 §5.2).
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

// requestOfPeer is a request that the peer of d could send.
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

// unheardTx is the server transaction of such a request. The handler's own goroutine
// is the only one to use it, but for Done.
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

package middleware

import (
	"context"
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// hangup ends a call of ours: BYE to the peer, and a BYE to the application as
// if the peer had sent it. What the peer makes of the BYE changes nothing
// (RFC 3261 §15.1.1).
func (t *Timers) hangup(ctx context.Context, l *dialogset.Set, remoteTag string, reason sessiontimer.Reason) {
	if bye := t.end(ctx, l, remoteTag, reason); bye != nil {
		bye(ctx)
	}
}

// end is hangup but for the BYE to the peer, which it returns. Whenever that leaves,
// and whether it can, the application is told at once. Nil if the call has ended.
func (t *Timers) end(ctx context.Context, l *dialogset.Set, remoteTag string, reason sessiontimer.Reason) (bye func(context.Context)) {
	d, err := t.store.Load(detached(ctx), l.ID(remoteTag))
	if err != nil {
		return nil
	}
	if first, last := l.End(remoteTag, true, reason); !first {
		return nil
	} else if last {
		t.sets.DropLater(l)
	}
	t.log.Info("ending the call", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag,
		"interval", d.Session.Interval, "refresher", d.Session.Refresher.String(), "expires", d.Session.ExpiresAt(), "reason", reason.String())
	t.tell(sessiontimer.Expired{Call: d.Call(time.Now()), Reason: reason})
	// As for each message that arrives, the handler has a goroutine of its own: it
	// may block. A program that ends with its call should not take the BYE along,
	// though.
	sent := make(chan struct{})
	t.workers.Run(func() {
		patience := time.NewTimer(sip.T1)
		defer patience.Stop()
		select {
		case <-sent:
		case <-patience.C:
		}
		t.endApplication(d, reason)
	})
	t.delete(detached(ctx), d.ID, reason)
	return func(ctx context.Context) { t.sendBye(ctx, l, d, reason, sent) }
}

// sendBye sends the BYE of an ended session, and closes sent when it is on its way
// or cannot be. Its answer is waited for elsewhere: it may be a challenge.
func (t *Timers) sendBye(ctx context.Context, l *dialogset.Set, d dialogstore.Dialog, reason sessiontimer.Reason, sent chan<- struct{}) {
	ctx, cancel := context.WithTimeout(ctx, stepLife())
	x, err := t.dispatchBye(ctx, l, d, reason)
	close(sent)
	if err != nil {
		cancel()
		refresher.LeavePlace(ctx)
		t.log.Warn("BYE not sent", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag, "error", err)
		return
	}
	t.steps.Go(func() {
		defer cancel()
		if _, err := x.await(ctx); err != nil {
			t.log.Info("peer did not answer the BYE", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag, "error", err)
		}
	})
}

func (t *Timers) dispatchBye(ctx context.Context, l *dialogset.Set, d dialogstore.Dialog, reason sessiontimer.Reason) (*ownRequest, error) {
	bye, err := indialog.Request(&d, sip.BYE)
	if err != nil {
		return nil, err
	}
	bye.AppendHeader(reasonHeader(reason))
	x, err := t.ownRequest(l, l.Of(d.RemoteTag), d, bye)
	if err != nil {
		return nil, err
	}
	x.stays = reason.Cause == sessiontimer.CauseRefreshUnanswered || reason.Cause == sessiontimer.CauseExpired && d.Session.Refresher == sessiontimer.Local
	return x, x.send(ctx)
}

// endApplication gives the application a BYE that the peer never sent.
func (t *Timers) endApplication(d dialogstore.Dialog, reason sessiontimer.Reason) {
	handler := t.host.Load().Bye
	if handler == nil {
		t.log.Warn("no BYE handler: the application is not told that the call ended", "call_id", d.CallID,
			"local_tag", d.LocalTag, "remote_tag", d.RemoteTag)
		return
	}
	bye, err := byeOfPeer(d, reason)
	if err != nil {
		t.log.Error("the application is not told that the call ended", "call_id", d.CallID,
			"local_tag", d.LocalTag, "remote_tag", d.RemoteTag, "error", err)
		return
	}
	tx := &muteTx{done: make(chan struct{})}
	defer tx.Terminate()
	defer t.contain("BYE handler", d.ID)
	handler(bye, tx)
}

// reasonHeader is what a BYE says of why the call ends (RFC 3326).
func reasonHeader(reason sessiontimer.Reason) sip.Header {
	return sip.NewHeader("Reason", fmt.Sprintf("SIP;cause=408;text=%q", reason.String()))
}

// byeOfPeer is the BYE that the peer of d would send next, for the reason that ours
// has.
func byeOfPeer(d dialogstore.Dialog, reason sessiontimer.Reason) (*sip.Request, error) {
	bye, err := requestOfPeer(d, sip.BYE, dialogset.NextCSeq(d.RemoteCSeq))
	if err == nil {
		bye.AppendHeader(reasonHeader(reason))
	}
	return bye, err
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

// muteTx is the server transaction of a request that came from nowhere: nobody
// hears its responses.
type muteTx struct {
	done        chan struct{}
	onTerminate []sip.FnTxTerminate
}

// Respond implements sip.ServerTransaction.
func (*muteTx) Respond(*sip.Response) error { return nil }

// Acks implements sip.ServerTransaction.
func (*muteTx) Acks() <-chan *sip.Request { return nil }

// OnCancel implements sip.ServerTransaction.
func (*muteTx) OnCancel(sip.FnTxCancel) bool { return true }

// Done implements sip.Transaction.
func (m *muteTx) Done() <-chan struct{} { return m.done }

// Err implements sip.Transaction.
func (*muteTx) Err() error { return nil }

// OnTerminate implements sip.Transaction; the handler's own goroutine is the
// only one to call it.
func (m *muteTx) OnTerminate(f sip.FnTxTerminate) bool {
	m.onTerminate = append(m.onTerminate, f)
	return true
}

// Terminate implements sip.Transaction.
func (m *muteTx) Terminate() {
	select {
	case <-m.done:
		return
	default:
	}
	close(m.done)
	for _, f := range m.onTerminate {
		f("", nil)
	}
}

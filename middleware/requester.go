package middleware

import (
	"context"
	"net"
	"strconv"
	"strings"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// requester is the client side of the middleware: everything that a client
// sends passes here.
type requester struct {
	t        *Timers
	client   *sipgo.Client
	sentBy   sip.Addr // what it writes into Via; empty where the transport layer does
	attached bool     // by Attach or NewClient
}

// Requester wraps what client sends, for whoever sets TxRequester by hand; Attach
// and NewClient do it themselves. The refreshes of a call that a client began go
// out through that client. For calls that came in, and after Restore, it is the
// client whose WithClientAddr or WithClientHostname is the address of the call, else
// the latest one given, for the transport (udp, tcp, tls, ws, wss) or else for none.
func (t *Timers) Requester(client *sipgo.Client, transports ...string) sipgo.ClientTransactionRequester {
	return t.newRequester(client, transports...)
}

// Request implements sipgo.ClientTransactionRequester.
func (r *requester) Request(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	inDialog := sipmsg.ToTag(req) != ""
	if called := &r.t.servers.called; req.IsInvite() && !called.Load() {
		called.Store(true)
	}
	switch {
	case sipmsg.Forwarded(req):
		return r.relay(ctx, req)
	case !inDialog && !req.IsInvite() && !req.IsCancel(), req.Via() == nil, req.CSeq() == nil:
		return r.direct(ctx, req)
	case req.IsAck():
		return nil, r.ack(ctx, req)
	case req.IsCancel():
		return r.cancel(ctx, req)
	case inDialog:
		return r.inDialog(ctx, req)
	}
	return r.firstInvite(ctx, req)
}

// direct sends as sipgo does without a requester.
func (r *requester) direct(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	if req.IsAck() {
		return nil, r.client.TransportLayer().WriteMsg(req)
	}
	tx, err := r.open(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, err
	}
	return tx, nil
}

// open makes a transaction, connected and ready to send.
func (r *requester) open(ctx context.Context, req *sip.Request) (*sip.ClientTx, error) {
	tx, err := r.client.TransactionLayer().NewClientTransaction(ctx, req)
	if err == nil && req.IsInvite() && sipmsg.ToTag(req) == "" {
		sipmsg.CompleteContact(req)
	}
	return tx, err
}

// firstInvite sends the INVITE that may make a dialog, also again after a
// challenge or redirection.
func (r *requester) firstInvite(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	t := r.t
	id, tag := sipmsg.CallID(req), sipmsg.FromTag(req)
	var policy sessiontimer.Policy
	if l := t.sets.Find(id, tag); l != nil {
		policy = l.Invited()
	}
	if policy.Mode == sessiontimer.Off {
		t.checkHandlers(req)
		policy = t.policyFor(req, true)
		t.heed(&policy, req, sessiontimer.UAC)
	}
	if policy.Mode == sessiontimer.Off || tag == "" || req.CSeq() == nil {
		return r.direct(ctx, req)
	}
	l := t.sets.Open(id, tag)
	x := &exchange{r: r, dialogs: l, flight: l.Invite(policy), req: req, app: req.CSeq().SeqNo, policy: policy}
	return x.begin(ctx)
}

// inDialog sends a request within a dialog: numbered, and an INVITE or UPDATE
// marked.
func (r *requester) inDialog(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	t := r.t
	l := t.setOf(ctx, dialogstore.ID{CallID: sipmsg.CallID(req), LocalTag: sipmsg.FromTag(req), RemoteTag: sipmsg.ToTag(req)})
	if l == nil || req.CSeq() == nil {
		return r.direct(ctx, req)
	}
	m := l.Of(sipmsg.ToTag(req))
	led := r.follow(l, m, req)
	x := &exchange{r: r, dialogs: l, flight: m, req: req, app: req.CSeq().SeqNo, remoteTag: sipmsg.ToTag(req), policy: l.Invited(), led: led}
	switch req.Method {
	case sip.INVITE, sip.UPDATE:
		return x.begin(ctx)
	case sip.BYE:
		// RFC 3261 §15.1.1: the session is over when the BYE is handed over.
		t.ended(detached(ctx), l, x.remoteTag, sessiontimer.CauseHungUp)
	case sip.PRACK:
		if rewriteRAck(m, req); described(req) { // its 2xx may have the answer
			return x.begin(ctx)
		}
	}
	return x.once(ctx)
}

// rewriteRAck makes a PRACK name the INVITE by its number on the wire (RFC 3262
// §7.2).
func rewriteRAck(m *dialogset.Dialog, req *sip.Request) {
	h := sipmsg.First(req, "RAck", "")
	if h == nil {
		return
	}
	parts := strings.Fields(h.Value())
	if len(parts) != 3 {
		return
	}
	app, err := strconv.ParseUint(parts[1], 10, 32)
	if err != nil {
		return
	}
	parts[1] = strconv.FormatUint(uint64(m.Count.WireCSeq(uint32(app))), 10)
	req.ReplaceHeader(sip.NewHeader(h.Name(), strings.Join(parts, " ")))
}

// ack sends an ACK to the transport, numbered as its INVITE was and to where the
// peer is (RFC 3261 §13.2.2.4). It may be replayed, so the application's message stays as it is.
func (r *requester) ack(ctx context.Context, req *sip.Request) error {
	if l := r.t.setOf(ctx, dialogstore.ID{CallID: sipmsg.CallID(req), LocalTag: sipmsg.FromTag(req), RemoteTag: sipmsg.ToTag(req)}); l != nil && req.CSeq() != nil {
		m := l.Of(sipmsg.ToTag(req))
		wire := m.Count.WireCSeq(req.CSeq().SeqNo)
		led := false
		if target, _, _ := m.Elsewhere(req); target != nil || wire != req.CSeq().SeqNo {
			req = req.Clone()
			sipmsg.SetCSeq(req, wire)
			led = r.follow(l, m, req)
		}
		ctx := detached(ctx)
		l.TakeFork(ctx, sipmsg.ToTag(req))
		m = l.Of(sipmsg.ToTag(req))
		m.HandOver()
		defer m.HandedOver()
		if err := r.client.TransportLayer().WriteMsg(req); err != nil {
			return err
		}
		r.t.acknowledged(ctx, l.ID(sipmsg.ToTag(req)), m, req, led)
		return nil
	}
	return r.client.TransportLayer().WriteMsg(req)
}

// cancel sends a CANCEL for the transaction that the application's INVITE is in
// by now; after a 422 that is another one than it knows. That one must have a
// provisional response first (RFC 3261 §9.1).
func (r *requester) cancel(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	l := r.t.sets.Find(sipmsg.CallID(req), sipmsg.FromTag(req))
	if l == nil || req.Via() == nil {
		return r.direct(ctx, req)
	}
	x := l.Offer(req.Via().Params.GetOr("branch", ""))
	if x == nil {
		return r.direct(ctx, req)
	}
	sent, err := x.Cancel(ctx)
	if err != nil {
		return nil, err
	}
	sipmsg.AddToken(req, sipmsg.SupportedTimer, "k")
	req.Via().Params.Add("branch", sent.Via().Params.GetOr("branch", ""))
	sipmsg.SetCSeq(req, sent.CSeq().SeqNo)
	return r.direct(ctx, req)
}

// localAddr is our end of a connection as host:port.
func localAddr(conn sip.Connection) string {
	if conn == nil {
		return ""
	}
	a := conn.LocalAddr()
	if a == nil {
		return ""
	}
	addr := a.String()
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return ""
	}
	return addr
}

// destination is where the application sends a request, if it says so and the
// route set does not. A cloned request names what its own URI leads to: that is
// nobody's wish, and would outlive the next change of the remote target.
func destination(req *sip.Request, d dialogstore.Dialog) string {
	dest := req.MessageData.Destination()
	if dest == "" || len(d.RouteSet) > 0 {
		return ""
	}
	if dest == sipmsg.Implied(req) {
		return ""
	}
	return dest
}

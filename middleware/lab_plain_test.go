package middleware_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// plain is a sipgo application that records what it sees. It is the same with and without
// timers.
type plain struct {
	net     *sipnet.Network
	addr    string
	ua      *sipgo.UserAgent
	client  *sipgo.Client
	timers  *middleware.Timers // nil without
	calls   *sipgo.DialogClientCache
	answers *sipgo.DialogServerCache
	accept  func(*sipgo.DialogServerSession) // set before the first call

	mu   sync.Mutex
	rows []string
}

// see records a line with the time.
func (a *plain) see(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows = append(a.rows, fmt.Sprintf("%8.3fs ", a.net.Elapsed().Seconds())+fmt.Sprintf(format, args...))
}

// seen returns the lines, sorted within each instant, because simultaneous events are
// recorded in any order.
func (a *plain) seen() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(slices.Values(a.rows))
}

// registrar is what sipgo.Server and middleware.Server have in common.
type registrar interface {
	OnInvite(sipgo.RequestHandler)
	OnAck(sipgo.RequestHandler)
	OnBye(sipgo.RequestHandler)
	OnOptions(sipgo.RequestHandler)
}

// newPlain makes an application, without timers if opts is nil.
func newPlain(t testing.TB, n *sipnet.Network, addr, transport string, opts []middleware.Option) *plain {
	t.Helper()
	a := &plain{net: n, addr: addr}
	var server *sipgo.Server
	var err error
	check := func() {
		if err != nil {
			t.Fatal(err)
		}
	}
	a.ua, err = sipgo.NewUA(sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(sipua.Quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(sipua.Quiet)))
	check()
	server, err = sipgo.NewServer(a.ua, sipgo.WithServerLogger(sipua.Quiet))
	check()
	clientOpts := []sipgo.ClientOption{sipgo.WithClientLogger(sipua.Quiet), sipgo.WithClientAddr(addr)}
	if transport == "udp" {
		clientOpts = append(clientOpts, sipgo.WithClientConnectionAddr(addr))
	}
	a.client, err = sipgo.NewClient(a.ua, clientOpts...)
	check()
	var srv registrar = server
	if opts != nil {
		a.timers, err = middleware.New(a.ua, append(opts, middleware.WithLogger(sipua.Quiet))...)
		check()
		srv, err = a.timers.Attach(server, a.client)
		check()
	}
	contact := sip.ContactHeader{Address: uriOf(addr, transport)}
	a.calls = sipgo.NewDialogClientCache(a.client, contact)
	a.answers = sipgo.NewDialogServerCache(a.client, contact)
	a.accept = func(d *sipgo.DialogServerSession) { a.see("answered: %v", d.RespondSDP([]byte(sipua.SDP("bob", "1")))) }
	a.handle(srv)
	if transport == "udp" {
		conn := n.PacketConn(addr)
		go func() { _ = server.ServeUDP(conn) }()
	} else {
		l := n.Listener(addr)
		go func() { _ = server.ServeTCP(l) }()
	}
	return a
}

func uriOf(addr, transport string) sip.Uri {
	host, port, _ := sip.ParseAddr(addr)
	uri := sip.Uri{Scheme: "sip", User: "x", Host: host, Port: port}
	if transport != "udp" {
		uri.UriParams = sip.HeaderParams{{K: "transport", V: transport}}
	}
	return uri
}

func (a *plain) handle(srv registrar) {
	srv.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		if req.To().Params.Has("tag") {
			a.see("re-INVITE")
			res := sip.NewSDPResponseFromRequest(req, []byte(sipua.SDP("bob", "2")))
			res.AppendHeader(&sip.ContactHeader{Address: uriOf(a.addr, sip.NetworkToLower(req.Transport()))})
			_ = tx.Respond(res)
			return
		}
		d, err := a.answers.ReadInvite(req, tx)
		if err != nil {
			a.see("ReadInvite: %v", err)
			return
		}
		d.OnState(func(s sip.DialogState) { a.see("incoming call is %v", s) })
		a.accept(d)
	})
	srv.OnAck(func(req *sip.Request, tx sip.ServerTransaction) {
		a.see("ACK, for the call: %v", a.answers.ReadAck(req, tx) == nil)
	})
	srv.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {
		if err := a.answers.ReadBye(req, tx); err == nil {
			return
		}
		a.see("BYE for the caller: %v", a.calls.ReadBye(req, tx))
	})
	srv.OnOptions(func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
	})
}

// call calls addr and records each response and the outcome.
func (a *plain) call(ctx context.Context, to sip.Uri) *sipgo.DialogClientSession {
	d, err := a.calls.Invite(ctx, to, []byte(sipua.SDP("alice", "1")), sip.NewHeader("Content-Type", "application/sdp"))
	if err != nil {
		a.see("INVITE: %v", err)
		return nil
	}
	d.OnState(func(s sip.DialogState) { a.see("call is %v", s) })
	err = d.WaitAnswer(ctx, sipgo.AnswerOptions{Username: "alice", Password: "secret", OnResponse: func(res *sip.Response) error {
		a.see("%d %s, body %d", res.StatusCode, res.Reason, len(res.Body()))
		return nil
	}})
	a.see("WaitAnswer: %T %v", err, stable(err))
	if err == nil {
		a.see("Ack: %v", d.Ack(ctx))
	}
	return d
}

// stable returns the text of an error without the parts that differ between runs.
func stable(err error) string {
	if res, ok := err.(*sipgo.ErrDialogResponse); ok {
		return fmt.Sprint(res.Res.StatusCode)
	}
	return fmt.Sprint(err)
}

// stopPlain stops what newPlain started, in an order that leaves nothing behind.
func stopPlain(n *sipnet.Network, apps ...*plain) {
	time.Sleep(time.Minute)
	for _, a := range apps {
		if a.timers != nil {
			_ = a.timers.Close()
		}
	}
	synctest.Wait()
	n.Close()
	synctest.Wait()
	for _, a := range apps {
		_ = a.ua.Close()
	}
	synctest.Wait()
}

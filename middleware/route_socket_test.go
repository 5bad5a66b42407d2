package middleware_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/freeport"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// datagrams is a peer on a real UDP socket of loopback that accepts whatever it is
// asked, and tells of it.
type datagrams struct {
	net.PacketConn
	got chan *sip.Request
}

func newDatagrams(t *testing.T) *datagrams {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	p := &datagrams{conn, make(chan *sip.Request, 100)}
	go p.answer()
	return p
}

func (p *datagrams) answer() {
	buf := make([]byte, 65535)
	for {
		n, from, err := p.ReadFrom(buf)
		if err != nil {
			return
		}
		msg, err := sip.ParseMessage(buf[:n])
		req, ok := msg.(*sip.Request)
		if err != nil || !ok {
			continue
		}
		req.SetSource(from.String())
		if !req.IsAck() {
			res := sip.NewResponseFromRequest(req, 200, "OK", nil)
			if !req.To().Params.Has("tag") {
				res.To().Params.Add("tag", "peer")
			}
			for _, h := range []string{"Allow: UPDATE", "Supported: timer", "Session-Expires: 6;refresher=uac", "Contact: <sip:" + p.LocalAddr().String() + ">"} {
				name, value, _ := strings.Cut(h, ": ")
				res.AppendHeader(sip.NewHeader(name, value))
			}
			_, _ = p.WriteTo([]byte(res.String()), from)
		}
		p.got <- req
	}
}

// next is the next request of the method.
func (p *datagrams) next(t *testing.T, method sip.RequestMethod) *sip.Request {
	t.Helper()
	for {
		if req := within(t, p.got, string(method)); req.Method == method {
			return req
		}
	}
}

// bare is a user agent with timers that listens nowhere yet.
func bare(t *testing.T, registry failover.Registry, opts ...sipgo.ClientOption) (*middleware.Timers, *middleware.Server, *sipgo.Client, <-chan sessiontimer.Event) {
	t.Helper()
	ua, err := sipgo.NewUA(sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(sipua.Quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(sipua.Quiet)))
	if err != nil {
		t.Fatal(err)
	}
	server, _ := sipgo.NewServer(ua, sipgo.WithServerLogger(sipua.Quiet))
	client, err := sipgo.NewClient(ua, append(opts, sipgo.WithClientLogger(sipua.Quiet), sipgo.WithClientHostname("127.0.0.1"))...)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan sessiontimer.Event, 100)
	timers, err := middleware.New(ua, middleware.WithUnsafeIntervals(), middleware.WithLogger(sipua.Quiet), inLabOn(registry),
		middleware.WithEventHandler(func(e sessiontimer.Event) { events <- e }), middleware.WithSessionExpires(2*time.Second), middleware.WithMaxInterval(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := timers.Attach(server, client)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = timers.Close(), ua.Close() })
	return timers, srv, client, events
}

// A client with a socket of its own goes on using it, on a wildcard address too,
// where sipgo finds it no more under the name that it was opened by.
func TestClientsOwnSocket(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of real time")
	}
	for _, host := range []string{"127.0.0.1", "0.0.0.0"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			p := newDatagrams(t)
			port := strconv.Itoa(freeport.Take(t))
			_, _, client, events := bare(t, failover.NewMemory(), sipgo.WithClientConnectionAddr(net.JoinHostPort(host, port)))
			to := sip.Uri{Scheme: "sip", User: "peer", Host: "127.0.0.1", Port: p.LocalAddr().(*net.UDPAddr).Port}
			dialogs := sipgo.NewDialogClientCache(client, sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "us", Host: "127.0.0.1"}})
			d, err := dialogs.Invite(context.Background(), to, []byte(sipnet.SDP), sip.NewHeader("Content-Type", "application/sdp"))
			if err != nil {
				t.Fatal(err)
			}
			if err := d.WaitAnswer(context.Background(), sipgo.AnswerOptions{}); err != nil {
				t.Fatal(err)
			}
			first := p.next(t, sip.INVITE).Source()
			for i := range 3 {
				if got := p.next(t, sip.UPDATE).Source(); got != first {
					t.Errorf("refresh %d comes from %s, the INVITE from %s", i+1, got, first)
				}
			}
			for len(events) > 0 {
				if e, failed := (<-events).(sessiontimer.RefreshFailed); failed {
					t.Errorf("refresh failed: %v", e.Err)
				}
			}
		})
	}
}

// A refresh does not take the socket that the program is going to open: after a
// restart it is due before anybody listens.
func TestRefreshBeforeListening(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of real time")
	}
	t.Parallel()
	p, ours := newDatagrams(t), freeport.Addr(t)
	d := streamCall("restored", "udp", p.LocalAddr(), 6*time.Second)
	d.LocalAddr, d.Contact, d.Session.RefreshAfter = ours, "<sip:us@"+ours+">", time.Second
	_, srv, _, _ := bare(t, leftBehind(t, d))
	before := p.next(t, sip.UPDATE).Source()
	conn, err := net.ListenPacket("udp4", ours)
	if err != nil {
		t.Fatalf("the program cannot listen on its own address: %v; the refresh came from %s", err, before)
	}
	defer func() { _ = conn.Close() }()
	go func() { _ = srv.ServeUDP(conn) }()
	for range 20 {
		if p.next(t, sip.UPDATE).Source() == ours {
			return
		}
	}
	t.Error("no refresh comes from the listener, which is there again")
}

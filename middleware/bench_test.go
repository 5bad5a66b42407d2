package middleware_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// benchUA is a user agent without virtual time, with or without the timers.
type benchUA struct {
	ua      *sipgo.UserAgent
	client  *sipgo.Client
	contact sip.ContactHeader
	calls   *sipgo.DialogClientCache
	answers *sipgo.DialogServerCache
}

// handlerSet is what sipgo.Server and middleware.Server have in common.
type handlerSet interface {
	OnInvite(sipgo.RequestHandler)
	OnAck(sipgo.RequestHandler)
	OnBye(sipgo.RequestHandler)
}

func newBenchUA(b *testing.B, n *sipnet.Network, name, addr, transport string, hooked bool) *benchUA {
	b.Helper()
	u := &benchUA{}
	u.ua, _ = sipgo.NewUA(sipgo.WithUserAgent(name),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(sipua.Quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(sipua.Quiet)))
	server, _ := sipgo.NewServer(u.ua, sipgo.WithServerLogger(sipua.Quiet))
	opts := []sipgo.ClientOption{sipgo.WithClientAddr(addr), sipgo.WithClientLogger(sipua.Quiet)}
	if transport == "udp" {
		opts = append(opts, sipgo.WithClientConnectionAddr(addr))
	}
	u.client, _ = sipgo.NewClient(u.ua, opts...)
	var handlers handlerSet = server
	if hooked {
		timers, err := middleware.New(u.ua, middleware.WithLogger(sipua.Quiet))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = timers.Close() })
		if handlers, err = timers.Attach(server, u.client); err != nil {
			b.Fatal(err)
		}
	}
	host, port, _ := sip.ParseAddr(addr)
	u.contact = sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: name, Host: host, Port: port}}
	if transport == "tcp" {
		u.contact.Address.UriParams = sip.HeaderParams{{K: "transport", V: "tcp"}}
	}
	u.calls = sipgo.NewDialogClientCache(u.client, u.contact)
	u.answers = sipgo.NewDialogServerCache(u.client, u.contact)
	handlers.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		if d, err := u.answers.ReadInvite(req, tx); err == nil {
			_ = d.RespondSDP([]byte(sipnet.SDP))
		}
	})
	handlers.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = u.answers.ReadAck(req, tx) })
	handlers.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = u.answers.ReadBye(req, tx) })
	if transport == "udp" {
		conn := n.PacketConn(addr)
		go func() { _ = server.ServeUDP(conn) }()
	} else {
		l := n.Listener(addr)
		go func() { _ = server.ServeTCP(l) }()
	}
	b.Cleanup(func() { _ = u.ua.Close() })
	return u
}

// BenchmarkCall is a whole call, INVITE, 200, ACK, BYE and 200, between two user
// agents on the in-memory network: with timers at neither end, one or both.
func BenchmarkCall(b *testing.B) {
	ends := []struct {
		name           string
		caller, callee bool
	}{{"without", false, false}, {"caller", true, false}, {"callee", false, true}, {"both", true, true}}
	for _, transport := range []string{"udp", "tcp"} {
		for _, end := range ends {
			b.Run(fmt.Sprintf("%s/%s", transport, end.name), func(b *testing.B) {
				n := sipnet.New()
				b.Cleanup(n.Close)
				alice := newBenchUA(b, n, "alice", "10.0.0.1:5060", transport, end.caller)
				bob := newBenchUA(b, n, "bob", "10.0.0.2:5060", transport, end.callee)
				if transport == "tcp" {
					n.ConnectTCP("10.0.0.1:5060", "10.0.0.2:5060")
				}
				ready(b, alice, bob, transport)
				b.ReportAllocs()
				for b.Loop() {
					call(b, alice, bob)
				}
			})
		}
	}
}

// ready waits until both serve.
func ready(b *testing.B, alice, bob *benchUA, transport string) {
	b.Helper()
	for _, u := range []*benchUA{alice, bob} {
		for u.ua.TransportLayer().Pool(transport).Size() == 0 {
			runtime.Gosched()
		}
	}
}

func call(b *testing.B, from, to *benchUA) {
	ctx := context.Background()
	d, err := from.calls.Invite(ctx, to.contact.Address, []byte(sipnet.SDP), sip.NewHeader("Content-Type", "application/sdp"))
	if err == nil {
		err = d.WaitAnswer(ctx, sipgo.AnswerOptions{})
	}
	if err == nil {
		err = d.Ack(ctx)
	}
	if err == nil {
		err = d.Bye(ctx)
	}
	if err != nil {
		b.Fatal(err)
	}
}

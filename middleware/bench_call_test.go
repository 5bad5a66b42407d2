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

// TestMain silences sipgo, which warns at each stream that both sides close.
func TestMain(m *testing.M) {
	sip.SetDefaultLogger(sipua.Quiet)
	m.Run()
}

// benchUA is a user agent without virtual time, with or without the timers.
type benchUA struct {
	ua      *sipgo.UserAgent
	client  *sipgo.Client
	server  *sipgo.Server
	timers  *middleware.Timers // nil without
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

// end is what is between the application and sipgo.
type end int

const (
	stock   end = iota // nothing
	fields             // an application that writes and reads no timers, but the same header fields
	hooked             // the timers
	shared             // the timers, with a registry
	distant            // the timers, with one that takes 5 s for each answer
	written            // the timers, with one elsewhere that answers at once
)

func newBenchUA(b testing.TB, n *sipnet.Network, name, addr, transport string, e end, opts ...middleware.Option) *benchUA {
	b.Helper()
	u := &benchUA{}
	u.ua, _ = sipgo.NewUA(sipgo.WithUserAgent(name),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(sipua.Quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(sipua.Quiet)))
	u.server, _ = sipgo.NewServer(u.ua, sipgo.WithServerLogger(sipua.Quiet))
	clientOpts := []sipgo.ClientOption{sipgo.WithClientAddr(addr), sipgo.WithClientLogger(sipua.Quiet)}
	if transport == "udp" {
		clientOpts = append(clientOpts, sipgo.WithClientConnectionAddr(addr))
	}
	u.client, _ = sipgo.NewClient(u.ua, clientOpts...)
	var handlers handlerSet = u.server
	switch e {
	case hooked, shared, distant, written:
		var err error
		opts = append(opts, sharing(e)...)
		if u.timers, err = middleware.New(u.ua, append(opts, middleware.WithLogger(sipua.Quiet))...); err != nil {
			b.Fatal(err)
		}
		if handlers, err = u.timers.Attach(u.server, u.client); err != nil {
			b.Fatal(err)
		}
	case fields:
		u.client.TxRequester = fieldWriter{u.client}
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
			_ = u.accept(d, e)
		}
	})
	handlers.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = u.answers.ReadAck(req, tx) })
	handlers.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = u.answers.ReadBye(req, tx) })
	if transport == "udp" {
		conn := n.PacketConn(addr)
		go func() { _ = u.server.ServeUDP(conn) }()
	} else {
		l := n.Listener(addr)
		go func() { _ = u.server.ServeTCP(l) }()
	}
	b.Cleanup(func() {
		if u.timers != nil {
			_ = u.timers.Close()
		}
		_ = u.ua.Close()
	})
	return u
}

func (u *benchUA) accept(d *sipgo.DialogServerSession, e end) error {
	headers := []sip.Header{sip.NewHeader("Content-Type", "application/sdp")}
	if e == fields {
		headers = append(headers, answerFields()...)
	}
	return d.Respond(sip.StatusOK, "OK", []byte(sipnet.SDP), headers...)
}

// pair is two user agents on a network that keeps no record.
func pair(b testing.TB, transport string, caller, callee end) (alice, bob *benchUA) {
	b.Helper()
	n := sipnet.New()
	n.StopRecording()
	b.Cleanup(n.Close)
	alice = newBenchUA(b, n, "alice", "10.0.0.1:5060", transport, caller)
	bob = newBenchUA(b, n, "bob", "10.0.0.2:5060", transport, callee)
	if transport == "tcp" {
		n.ConnectTCP("10.0.0.1:5060", "10.0.0.2:5060")
	}
	if transport == "udp" {
		alice.awaitServing("udp", "10.0.0.1:5060")
		bob.awaitServing("udp", "10.0.0.2:5060")
	} else {
		alice.awaitServing("tcp", "10.0.0.2:5060")
		bob.awaitServing("tcp", "10.0.0.1:5060")
	}
	return alice, bob
}

// awaitServing waits for a connection: over UDP by its own address, over TCP by
// the other end's.
func (u *benchUA) awaitServing(transport, addr string) {
	for {
		if conn, err := u.ua.TransportLayer().GetConnection(transport, addr); err == nil {
			_, _ = conn.TryClose() // what GetConnection counted
			return
		}
		runtime.Gosched()
	}
}

// BenchmarkCall is a whole call, INVITE, 200, ACK, BYE and 200, between two user
// agents on the in-memory network: with timers at neither end, one or both. An
// end of the twin writes the header fields of the timers and does nothing else.
// One call at a time measures latency, many calls throughput.
func BenchmarkCall(b *testing.B) {
	designs := []struct {
		name           string
		caller, callee end
	}{
		{"none", stock, stock},
		{"caller-fields", fields, stock}, {"caller", hooked, stock},
		{"callee-fields", stock, fields}, {"callee", stock, hooked},
		{"both-fields", fields, fields}, {"both", hooked, hooked},
	}
	for _, transport := range []string{"udp", "tcp"} {
		for _, atOnce := range []string{"one", "many"} {
			for _, d := range designs {
				b.Run(fmt.Sprintf("transport=%s/atonce=%s/timers=%s", transport, atOnce, d.name), func(b *testing.B) {
					alice, bob := pair(b, transport, d.caller, d.callee)
					b.ReportAllocs()
					if atOnce == "many" {
						alice.callMany(b, bob)
						return
					}
					for b.Loop() {
						alice.call(b, bob)
					}
				})
			}
		}
	}
}

// callMany keeps 16 calls under way for each processor.
func (u *benchUA) callMany(b *testing.B, to *benchUA) {
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			u.call(b, to)
		}
	})
}

// call makes a call and hangs it up.
func (u *benchUA) call(b testing.TB, to *benchUA) {
	if err := u.establish(b, to).Bye(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// establish makes a call.
func (u *benchUA) establish(b testing.TB, to *benchUA) *sipgo.DialogClientSession {
	ctx := context.Background()
	d, err := u.calls.Invite(ctx, to.contact.Address, []byte(sipnet.SDP), sip.NewHeader("Content-Type", "application/sdp"))
	if err == nil {
		err = d.WaitAnswer(ctx, sipgo.AnswerOptions{})
	}
	if err == nil {
		err = d.Ack(ctx)
	}
	if err != nil {
		b.Fatal(err)
	}
	return d
}

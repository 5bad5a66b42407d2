// Package sipua is a plain sipgo application on the in-memory network, for tests: it
// calls, answers and hangs up as in sipgo's documentation. The only line about session
// timers is the one that adds them.
package sipua

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Event is an event of the timers and its time.
type Event struct {
	At time.Duration
	sessiontimer.Event
}

// UA is a user agent with one address.
type UA struct {
	Name   string
	Addr   string
	UA     *sipgo.UserAgent
	Client *sipgo.Client
	Server *middleware.Server
	Timers *middleware.Timers

	// Accept answers an INVITE; the default sends 200 with SDP at once.
	Accept func(*sipgo.DialogServerSession)
	// ReInvite answers an INVITE within a call; the default sends 200 with SDP.
	ReInvite sipgo.RequestHandler
	// Password makes the caller answer digest challenges.
	Password string
	SDP      string
	// Names resolves names; the default knows none and sends no queries.
	Names *net.Resolver

	t         testing.TB
	net       *sipnet.Network
	transport string
	socket    io.Closer
	ready     chan struct{} // closed once the handlers are registered
	calls     *sipgo.DialogClientCache
	answers   *sipgo.DialogServerCache

	mu     sync.Mutex
	events []Event
	taken  []*sipgo.DialogServerSession
}

// SDP is a session description of the given origin.
func SDP(name string, version string) string {
	return strings.Join([]string{"v=0", "o=" + name + " 1 " + version + " IN IP4 10.0.0.9", "s=-", "c=IN IP4 10.0.0.9", "t=0 0",
		"m=audio 40000 RTP/AVP 0", "a=sendrecv", ""}, "\r\n")
}

// Quiet logs nothing.
var Quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// New makes a user agent named name at addr on n, over udp, tcp or tls.
func New(t testing.TB, n *sipnet.Network, name, addr, transport string, opts ...middleware.Option) *UA {
	t.Helper()
	u, hear := Prepare(t, n, name, addr, transport, opts...)
	hear()
	return u
}

// Prepare is New for a user agent that hears nothing before hear is called: until then its
// fields and handlers may be changed.
func Prepare(t testing.TB, n *sipnet.Network, name, addr, transport string, opts ...middleware.Option) (u *UA, hear func()) {
	t.Helper()
	u, server := newUA(t, n, name, addr, transport)
	opts = append([]middleware.Option{middleware.WithLogger(Quiet), middleware.WithEventHandler(u.record), middleware.WithJitter(0)}, opts...)
	var err error
	if u.Timers, err = middleware.New(u.UA, opts...); err != nil {
		t.Fatalf("%s: timers: %v", name, err)
	}
	u.serve(server) // before it is attached: what is taken over may be refreshed at once
	if u.Server, err = u.Timers.Attach(server, u.Client); err != nil {
		t.Fatalf("%s: attach: %v", name, err)
	}
	u.handle(u.Server)
	u.Server.OnInfo(func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusOK, "OK", nil))
	})
	return u, func() { close(u.ready) }
}

// newUA is the application without timers.
func newUA(t testing.TB, n *sipnet.Network, name, addr, transport string) (*UA, *sipgo.Server) {
	u := &UA{Name: name, Addr: addr, t: t, net: n, transport: transport, ready: make(chan struct{}), SDP: SDP(name, "1"), Names: nowhere()}
	u.Accept = func(d *sipgo.DialogServerSession) { _ = d.RespondSDP([]byte(u.SDP)) }
	u.ReInvite = u.again
	u.UA = must(sipgo.NewUA(sipgo.WithUserAgent(name), sipgo.WithUserAgentHostname(host(addr)), sipgo.WithUserAgentDNSResolver(u.Names),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(Quiet), sip.WithTransportLayerTransports(inMemory(n))),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(Quiet))))
	server := must(sipgo.NewServer(u.UA, sipgo.WithServerLogger(Quiet)))
	clientOpts := []sipgo.ClientOption{sipgo.WithClientLogger(Quiet), sipgo.WithClientAddr(addr)}
	if transport == "udp" {
		clientOpts = append(clientOpts, sipgo.WithClientConnectionAddr(addr))
	}
	u.Client = must(sipgo.NewClient(u.UA, clientOpts...))
	contact := sip.ContactHeader{Address: u.uri()}
	u.calls = sipgo.NewDialogClientCache(u.Client, contact)
	u.answers = sipgo.NewDialogServerCache(u.Client, contact)
	return u, server
}

func (u *UA) uri() sip.Uri {
	h, p, _ := sip.ParseAddr(u.Addr)
	uri := sip.Uri{Scheme: "sip", User: u.Name, Host: h, Port: p}
	if u.transport != "udp" {
		uri.UriParams = sip.NewParams()
		uri.UriParams.Add("transport", u.transport)
	}
	return uri
}

func (u *UA) handle(server interface {
	OnInvite(sipgo.RequestHandler)
	OnAck(sipgo.RequestHandler)
	OnBye(sipgo.RequestHandler)
}) {
	server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		if req.To().Params.Has("tag") {
			u.ReInvite(req, tx)
			return
		}
		d, err := u.answers.ReadInvite(req, tx)
		if err != nil {
			return
		}
		u.mu.Lock()
		u.taken = append(u.taken, d)
		u.mu.Unlock()
		u.Accept(d)
	})
	server.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = u.answers.ReadAck(req, tx) })
	server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {
		if err := u.answers.ReadBye(req, tx); err == nil {
			return
		}
		if err := u.calls.ReadBye(req, tx); err != nil {
			_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusCallTransactionDoesNotExists, "No such call", nil))
		}
	})
}

// again accepts a re-INVITE, which sipgo's dialogs do not handle.
func (u *UA) again(req *sip.Request, tx sip.ServerTransaction) {
	res := sip.NewSDPResponseFromRequest(req, []byte(u.SDP))
	res.AppendHeader(&sip.ContactHeader{Address: u.uri()})
	_ = tx.Respond(res)
}

// Dialog is either kind of sipgo's dialog sessions.
type Dialog interface {
	Do(context.Context, *sip.Request) (*sip.Response, error)
	WriteRequest(*sip.Request) error
}

// Send sends a request within d to the other user agent, INVITE with its ACK.
func (u *UA) Send(d Dialog, to string, method sip.RequestMethod, body string) (*sip.Response, error) {
	h, p, _ := sip.ParseAddr(to)
	uri := sip.Uri{Scheme: "sip", Host: h, Port: p}
	req := sip.NewRequest(method, uri)
	if body != "" {
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		req.SetBody([]byte(body))
	}
	res, err := d.Do(context.Background(), req)
	if err == nil && method == sip.INVITE && res.IsSuccess() {
		err = d.WriteRequest(sip.NewRequest(sip.ACK, uri))
	}
	return res, err
}

func (u *UA) serve(server *sipgo.Server) {
	if u.transport == "udp" {
		conn := u.net.PacketConn(u.Addr)
		u.socket = conn
		go func() { _ = server.ServeUDP(gatedConn{conn, u.ready}) }()
	} else {
		l := u.net.Listener(u.Addr)
		u.socket = l
		gated := gatedListener{l, u.ready}
		if u.transport == "tls" { // without encryption: the listener would do that
			go func() { _ = server.ServeTLS(gated) }()
		} else {
			go func() { _ = server.ServeTCP(gated) }()
		}
	}
	synctest.Wait()
}

// Call calls to and waits for the answer.
func (u *UA) Call(to *UA) *sipgo.DialogClientSession {
	u.t.Helper()
	d, err := u.Try(to)
	if err != nil {
		u.t.Fatalf("%s calls %s: %v", u.Name, to.Name, err)
	}
	return d
}

// Try is Call for calls that may fail.
func (u *UA) Try(to *UA, headers ...sip.Header) (*sipgo.DialogClientSession, error) {
	return u.TryURI(context.Background(), to.uri(), headers...)
}

// TryURI is Try for any URI.
func (u *UA) TryURI(ctx context.Context, to sip.Uri, headers ...sip.Header) (*sipgo.DialogClientSession, error) {
	d, err := u.Invite(ctx, to, headers...)
	if err != nil {
		return nil, err
	}
	if err := d.WaitAnswer(ctx, sipgo.AnswerOptions{Username: u.Name, Password: u.Password}); err != nil {
		return d, err
	}
	return d, d.Ack(ctx)
}

// Invite sends the INVITE of TryURI and leaves the rest to the test.
func (u *UA) Invite(ctx context.Context, to sip.Uri, headers ...sip.Header) (*sipgo.DialogClientSession, error) {
	headers = append(headers, sip.NewHeader("Content-Type", "application/sdp"))
	return u.calls.Invite(ctx, to, []byte(u.SDP), headers...)
}

// Answered returns the latest answered call.
func (u *UA) Answered() *sipgo.DialogServerSession {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.taken) == 0 {
		u.t.Fatalf("%s has taken no call", u.Name)
	}
	return u.taken[len(u.taken)-1]
}

// Taken returns the number of calls that the INVITE handler has seen.
func (u *UA) Taken() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.taken)
}

func (u *UA) record(e sessiontimer.Event) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.events = append(u.events, Event{u.net.Elapsed(), e})
}

// Events returns the events so far.
func (u *UA) Events() []Event {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]Event(nil), u.events...)
}

// Move has u get what is sent to its address, a floating one over UDP.
func (u *UA) Move() { u.net.Move(u.socket.(net.PacketConn)) }

// Kill makes u vanish: its peers receive nothing more, not even an error.
func (u *UA) Kill() {
	u.closeTimers()
	synctest.Wait()
	_ = u.socket.Close()
	synctest.Wait()
	_ = u.UA.Close()
	synctest.Wait()
}

// Stop ends user agents and their network in an order that leaves no goroutine behind in a
// bubble.
func Stop(n *sipnet.Network, uas ...*UA) {
	for _, u := range uas {
		u.closeTimers()
	}
	synctest.Wait()
	n.Close()
	synctest.Wait()
	for _, u := range uas {
		_ = u.UA.Close()
	}
	synctest.Wait()
}

func host(addr string) string {
	h, _, _ := net.SplitHostPort(addr)
	return h
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

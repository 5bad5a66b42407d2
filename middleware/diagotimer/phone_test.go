package diagotimer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/diagotimer"
)

const (
	phoneAddr = "127.0.0.1:5060" // diago, whose media may be on real sockets
	otherAddr = "10.0.0.1:5060"  // its peer
)

func TestMain(m *testing.M) {
	media.SetDefaultLogger(sipua.Quiet)
	sip.SetDefaultLogger(defaultLogger)
	os.Exit(m.Run())
}

// dialog is what both kinds of diago's dialogs can do.
type dialog interface {
	diago.DialogSession
	ReInvite(context.Context) error
	Hold(context.Context) error
	Unhold(context.Context) error
	Refer(context.Context, sip.Uri, ...sip.Header) error
}

// session is a dialog and its media.
type session struct {
	dialog
	media *diago.DialogMedia
}

// Media are the media of the call.
func (s *session) Media() *diago.DialogMedia { return s.media }

// phone is a plain diago application on the in-memory network, with the one
// line that adds session timers.
type phone struct {
	dg     *diago.Diago
	ua     *sipgo.UserAgent
	timers *middleware.Timers

	t         testing.TB
	net       *sipnet.Network
	transport string
	socket    io.Closer // that it listens on
	ports     int

	mu      sync.Mutex
	events  []sipua.Event
	taken   *session
	serving int // handlers that have not returned
}

// newPhone makes a phone that answers every call and keeps it until it ends.
func newPhone(t testing.TB, n *sipnet.Network, transport string, opts ...middleware.Option) *phone {
	t.Helper()
	return makePhone(t, n, transport, func(server *sipgo.Server, timers *middleware.Timers) (*diago.Diago, error) {
		return diagotimer.New(timers, diago.WithLogger(sipua.Quiet), diagotimer.WithServer(server),
			diago.WithMediaConfig(diago.MediaConfig{Codecs: []media.Codec{media.CodecAudioUlaw}}),
			diago.WithTransport(diago.Transport{Transport: transport, BindHost: "127.0.0.1", BindPort: 5060}))
	}, opts...)
}

// makePhone makes one whose Diago is made in another way.
func makePhone(t testing.TB, n *sipnet.Network, transport string, build func(*sipgo.Server, *middleware.Timers) (*diago.Diago, error),
	opts ...middleware.Option) *phone {
	t.Helper()
	p := &phone{t: t, net: n, transport: transport}
	p.ua = must(sipgo.NewUA(sipgo.WithUserAgent("phone"), sipgo.WithUserAgentHostname("127.0.0.1"),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(sipua.Quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(sipua.Quiet))))
	server := must(sipgo.NewServer(p.ua, sipgo.WithServerLogger(sipua.Quiet)))
	opts = append([]middleware.Option{middleware.WithLogger(sipua.Quiet), middleware.WithEventHandler(p.record), middleware.WithJitter(0)}, opts...)
	var err error
	if p.timers, err = middleware.New(p.ua, opts...); err != nil {
		t.Fatalf("timers: %v", err)
	}
	if p.dg, err = build(server, p.timers); err != nil {
		t.Fatalf("diago: %v", err)
	}
	p.dg.HandleFunc(p.answer)
	if transport == "udp" {
		conn := n.PacketConn(phoneAddr)
		p.socket = conn
		go func() { _ = server.ServeUDP(conn) }()
	} else {
		l := n.Listener(phoneAddr)
		p.socket = l
		go func() { _ = server.ServeTCP(l) }()
	}
	synctest.Wait()
	return p
}

func (p *phone) answer(d *diago.DialogServerSession) {
	p.take(d, diago.AnswerOptions{})
}

// take rings, answers and keeps the call until it ends.
func (p *phone) take(d *diago.DialogServerSession, opts diago.AnswerOptions) {
	p.mu.Lock()
	p.serving++
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.serving--
		p.mu.Unlock()
	}()
	m, err := ring(d, p.media())
	if err != nil {
		return
	}
	p.mu.Lock()
	p.taken = &session{d, m}
	p.mu.Unlock()
	if err := accept(d, m, opts); err != nil {
		return
	}
	<-d.Context().Done()
}

// media is a media session on the in-memory network.
func (p *phone) media() *media.MediaSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	port := 20000 + p.ports
	p.ports += 2
	s := &media.MediaSession{Codecs: []media.Codec{media.CodecAudioUlaw}}
	s.InitWithListeners(p.net.PacketConn(fmt.Sprintf("127.0.0.1:%d", port)),
		p.net.PacketConn(fmt.Sprintf("127.0.0.1:%d", port+1)), &net.UDPAddr{})
	s.Laddr.Port = port
	return s
}

// invite calls out and waits for the answer.
func (p *phone) invite(ctx context.Context, opts diago.InviteClientOptions) (*session, error) {
	return p.inviteTo(ctx, "10.0.0.1", opts)
}

func (p *phone) inviteTo(ctx context.Context, host string, opts diago.InviteClientOptions) (*session, error) {
	uri := sip.Uri{Scheme: "sip", User: "other", Host: host, Port: 5060}
	d, err := p.dg.NewDialog(uri, diago.NewDialogOptions{Transport: p.transport})
	if err != nil {
		return nil, err
	}
	m, err := invite(ctx, d, p.media(), opts)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &session{d, m}, d.Ack(ctx)
}

// answered is the call that came in.
func (p *phone) answered() *session {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == nil {
		p.t.Fatal("diago's handler saw no call")
	}
	return p.taken
}

func (p *phone) record(e sessiontimer.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, sipua.Event{At: p.net.Elapsed(), Event: e})
}

// told are the kinds of events so far, each with its time.
func (p *phone) told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]string, 0, len(p.events))
	for _, e := range p.events {
		kind := strings.TrimPrefix(fmt.Sprintf("%T", e.Event), "sessiontimer.")
		out = append(out, fmt.Sprintf("%.3fs %s %v %s", e.At.Seconds(), kind, e.Info().Interval, e.Info().Refresher))
	}
	return out
}

// stop ends the phone and whoever else is on the network, in the order that
// leaves nothing behind in a bubble.
func (p *phone) stop(uas ...*sipua.UA) {
	if p.t.Failed() {
		time.Sleep(64 * sip.T1) // whatever waits for a message that will not come
	}
	_ = p.timers.Close()
	sipua.Stop(p.net, uas...)
	_ = p.ua.Close()
	synctest.Wait()
}

// wantOver checks that nothing of c is left: in diago, in its media, in the
// store, in the application.
func (p *phone) wantOver(c *session) {
	p.t.Helper()
	if s := c.DialogSIP().LoadState(); s != sip.DialogStateEnded {
		p.t.Errorf("diago's dialog is in state %v, want it to have ended", s)
	}
	if c.Context().Err() == nil {
		p.t.Error("the context of diago's dialog lives, want it cancelled")
	}
	wantSilent(p.t, c)
	p.wantIdle()
}

// wantSilent checks that the media of a call are closed.
func wantSilent(t testing.TB, c *session) {
	t.Helper()
	if _, err := c.Media().MediaSession().ReadRTPRaw(make([]byte, 1500)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading the call's RTP returns %v, want a closed connection", err)
	}
}

// wantIdle checks that there is no call.
func (p *phone) wantIdle() {
	p.t.Helper()
	ctx := context.Background()
	_ = p.dg.DialogCacheServer().DialogRange(ctx, func(id string, _ *diago.DialogServerSession) bool {
		p.t.Errorf("diago's cache holds the answered call %s, want it empty", id)
		return true
	})
	_ = p.dg.DialogCacheClient().DialogRange(ctx, func(id string, _ *diago.DialogClientSession) bool {
		p.t.Errorf("diago's cache holds the call out %s, want it empty", id)
		return true
	})
	for d := range p.timers.Calls(ctx) {
		p.t.Errorf("the timers hold the call %s, want none", d.CallID)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.serving != 0 {
		p.t.Errorf("%d serve handlers are running, want all returned", p.serving)
	}
}

// wantHangupAtOnce checks that an application that hangs up a call which is
// over already gets no error and does not wait.
func wantHangupAtOnce(t testing.TB, c *session) {
	t.Helper()
	start := time.Now()
	if err := c.Hangup(context.Background()); err != nil {
		t.Errorf("Hangup of a call that is over returns %v, want nil", err)
	}
	if took := time.Since(start); took > 0 {
		t.Errorf("Hangup of a call that is over took %v, want no time", took)
	}
}

// header gives the values of a header field, joined.
func header(m sip.Message, name string) string {
	var values []string
	for _, h := range m.GetHeaders(name) {
		values = append(values, h.Value())
	}
	return strings.Join(values, ", ")
}

// want checks a header field.
func want(t testing.TB, m sip.Message, name, value string) {
	t.Helper()
	if got := header(m, name); got != value {
		t.Errorf("%s has %s %q, want %q\n%s", sipnet.Label(m), name, got, value, m.String())
	}
}

// sentSDP are the session descriptions that the address sent, in order and
// without retransmissions.
func sentSDP(n *sipnet.Network, addr string) []string {
	var out []string
	for _, m := range n.Messages() {
		if m.From != addr || m.SIP == nil || len(m.SIP.Body()) == 0 {
			continue
		}
		if body := string(m.SIP.Body()); len(out) == 0 || out[len(out)-1] != body {
			out = append(out, body)
		}
	}
	return out
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// phoneURI is the phone as its callers know it.
func phoneURI(transport string) sip.Uri {
	uri := sip.Uri{Scheme: "sip", User: "phone", Host: "127.0.0.1", Port: 5060}
	if transport != "udp" {
		uri.UriParams = sip.NewParams()
		uri.UriParams.Add("transport", transport)
	}
	return uri
}

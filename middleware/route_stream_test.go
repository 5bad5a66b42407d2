package middleware_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// The streams in this file are real, because sipgo dials nothing else, and so is the time:
// intervals are a few seconds, and nothing is timed more precisely than that.

// streamPeer is a scripted peer on loopback TCP.
type streamPeer struct {
	t    *testing.T
	l    net.Listener
	conn net.Conn
	r    *bufio.Reader
	log  []sipnet.Message // what it got
}

func newStreamPeer(t *testing.T) *streamPeer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &streamPeer{t: t, l: l}
}

func (p *streamPeer) uri() sip.Uri {
	return streamURI(p.l.Addr())
}

func streamURI(addr net.Addr) sip.Uri {
	host, port, _ := sip.ParseAddr(addr.String())
	uri := sip.Uri{Scheme: "sip", User: "someone", Host: host, Port: port, UriParams: sip.NewParams()}
	uri.UriParams.Add("transport", "tcp")
	return uri
}

// accept takes the next connection.
func (p *streamPeer) accept() {
	p.t.Helper()
	_ = p.l.(*net.TCPListener).SetDeadline(time.Now().Add(8 * time.Second))
	conn, err := p.l.Accept()
	if err != nil {
		p.t.Fatalf("nobody connects: %v", err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	p.conn, p.r = conn, bufio.NewReader(conn)
}

// reset ends the connection, as a NAT or a proxy that restarts does.
func (p *streamPeer) reset() {
	_ = p.conn.(*net.TCPConn).SetLinger(0)
	_ = p.conn.Close()
}

// reopen accepts no connections until wait returns.
func (p *streamPeer) reopen(wait func()) {
	p.t.Helper()
	addr := p.l.Addr().String()
	_ = p.l.Close()
	wait()
	var err error
	if p.l, err = net.Listen("tcp", addr); err != nil {
		p.t.Skipf("another program has taken the port meanwhile: %v", err)
	}
	p.t.Cleanup(func() { _ = p.l.Close() })
}

// expect reads the next message, which must have the label.
func (p *streamPeer) expect(label string) sip.Message {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(8 * time.Second))
	var raw strings.Builder
	length := 0
	for raw.Len() == 0 || !strings.HasSuffix(raw.String(), "\r\n\r\n") {
		line, err := p.r.ReadString('\n')
		if err != nil {
			p.t.Fatalf("waiting for %s: %v", label, err)
		}
		if raw.Len() == 0 && strings.TrimSpace(line) == "" {
			continue // keep-alive
		}
		_, _ = fmt.Sscanf(line, "Content-Length: %d", &length)
		raw.WriteString(line)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(p.r, body); err != nil {
		p.t.Fatalf("waiting for the body of %s: %v", label, err)
	}
	msg, err := sip.ParseMessage([]byte(raw.String() + string(body)))
	if res, is := msg.(*sip.Response); is && res.StatusCode == sip.StatusTrying {
		return p.expect(label) // sipgo's own, where an answer takes 200 ms
	}
	if err != nil || sipnet.Label(msg) != label {
		p.t.Fatalf("got %s (%v), want %s", raw.String(), err, label)
	}
	p.log = append(p.log, sipnet.Message{From: "uas", To: "peer", SIP: msg})
	return msg
}

// accepts answers 200.
func (p *streamPeer) accepts(msg sip.Message, lines ...string) {
	lines = append([]string{"SIP/2.0 200 OK"}, lines...)
	for _, h := range msg.(*sip.Request).Headers() {
		switch name := h.Name(); name {
		case "Via", "From", "Call-ID", "CSeq":
			lines = append(lines, name+": "+h.Value())
		case "To":
			lines = append(lines, name+": "+h.Value()+map[bool]string{true: ";tag=peer"}[!strings.Contains(h.Value(), "tag=")])
		}
	}
	p.send(append(lines, "Contact: <"+p.addr()+">")...)
}

func (p *streamPeer) addr() string { u := p.uri(); return u.String() }

func (p *streamPeer) send(lines ...string) {
	_, _ = io.WriteString(p.conn, strings.Join(append(lines, "Content-Length: 0", "", ""), "\r\n"))
}

// onStream is a user agent with a TCP listener on loopback.
type onStream struct {
	timers *middleware.Timers
	client *sipgo.DialogClientCache
	server *sipgo.DialogServerCache
	addr   string
	calls  chan *sipgo.DialogServerSession

	transports *sip.TransportLayer
}

func newOnStream(t *testing.T, opts ...middleware.Option) *onStream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ua, err := sipgo.NewUA(sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(sipua.Quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(sipua.Quiet)))
	if err != nil {
		t.Fatal(err)
	}
	server, err := sipgo.NewServer(ua, sipgo.WithServerLogger(sipua.Quiet))
	if err != nil {
		t.Fatal(err)
	}
	client, err := sipgo.NewClient(ua, sipgo.WithClientLogger(sipua.Quiet), sipgo.WithClientHostname("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	o := &onStream{addr: l.Addr().String(), calls: make(chan *sipgo.DialogServerSession, 1), transports: ua.TransportLayer()}
	o.timers, err = middleware.New(ua, append(opts, middleware.WithUnsafeIntervals(), middleware.WithLogger(sipua.Quiet))...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := o.timers.Attach(server, client)
	if err != nil {
		t.Fatal(err)
	}
	contact := sip.ContactHeader{Address: streamURI(l.Addr())}
	o.client, o.server = sipgo.NewDialogClientCache(client, contact), sipgo.NewDialogServerCache(client, contact)
	s.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		if d, err := o.server.ReadInvite(req, tx); err == nil {
			_ = d.RespondSDP([]byte(sipnet.SDP))
			o.calls <- d
		}
	})
	s.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = o.server.ReadAck(req, tx) })
	s.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {
		if o.server.ReadBye(req, tx) != nil {
			_ = o.client.ReadBye(req, tx)
		}
	})
	go func() { _ = s.ServeTCP(l) }()
	t.Cleanup(func() {
		_ = o.timers.Close()
		_ = l.Close()
		_ = ua.Close()
	})
	return o
}

// call makes o call the peer, or be called. Then o has to refresh a session of six seconds
// one second after a 2xx, because the peer raised the interval.
func (o *onStream) call(t *testing.T, p *streamPeer, caller bool) dialog {
	t.Helper()
	if !caller {
		conn, err := net.Dial("tcp", o.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		p.conn, p.r = conn, bufio.NewReader(conn)
		in := []string{"Max-Forwards: 70", "From: <sip:peer@127.0.0.1>;tag=peer", "Call-ID: stream", "Contact: <" + p.addr() + ">",
			"Via: SIP/2.0/TCP " + p.l.Addr().String() + ";branch=z9hG4bK-"}
		p.send(append([]string{"INVITE sip:u@" + o.addr + " SIP/2.0", in[4] + "1", "To: <sip:u@127.0.0.1>", "CSeq: 1 INVITE",
			"Supported: timer", "Allow: UPDATE", "Session-Expires: 2;refresher=uas"}, in[:4]...)...)
		res := p.expect("200 OK (INVITE)")
		p.send(append([]string{"ACK sip:u@" + o.addr + " SIP/2.0", in[4] + "2", "To: " + res.To().Value(), "CSeq: 1 ACK"}, in[:4]...)...)
		// Over the existing connection: a peer behind it may not listen.
		p.accepts(p.expect("UPDATE"), "Session-Expires: 6;refresher=uac")
		o.settled(t)
		return <-o.calls
	}
	answered := make(chan struct{})
	var d *sipgo.DialogClientSession
	go func() {
		defer close(answered)
		var err error
		if d, err = o.client.Invite(context.Background(), p.uri(), []byte(sipnet.SDP), sip.NewHeader("Content-Type", "application/sdp")); err != nil {
			t.Errorf("INVITE: %v", err)
			return
		}
		if err = errors.Join(d.WaitAnswer(context.Background(), sipgo.AnswerOptions{}), d.Ack(context.Background())); err != nil {
			t.Errorf("the call fails: %v", err)
		}
	}()
	p.accept()
	p.accepts(p.expect("INVITE"), "Allow: UPDATE", "Supported: timer", "Session-Expires: 6;refresher=uac")
	p.expect("ACK")
	<-answered
	return d
}

// settled waits until the last answer has been read.
func (o *onStream) settled(t *testing.T) {
	t.Helper()
	for range 400 {
		for d := range o.timers.Store().All(context.Background()) {
			if d.Session.Interval == 6*time.Second {
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the session is not settled after two seconds")
}

// F-06: a connection that is lost before or during a refresh is a transport failure and does
// not end the call: the refresh is sent again over another connection, without a BYE.
func TestConnectionLost(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of real time")
	}
	for _, caller := range []bool{true, false} {
		for _, when := range []string{"before the refresh", "during the refresh", "nobody listens at first"} {
			t.Run(fmt.Sprintf("F-06 %s, caller=%v", when, caller), func(t *testing.T) {
				t.Parallel()
				failed := make(chan sessiontimer.RefreshFailed, 10)
				p, o := newStreamPeer(t), newOnStream(t, middleware.WithSessionExpires(2*time.Second), middleware.WithMaxInterval(2*time.Second),
					middleware.WithEventHandler(func(e sessiontimer.Event) {
						if f, ok := e.(sessiontimer.RefreshFailed); ok {
							failed <- f
						}
					}))
				d := o.call(t, p, caller)
				o.wantMonotonic(t)
				if when == "during the refresh" {
					p.expect("UPDATE")
				}
				p.reset()
				if when == "nobody listens at first" {
					p.reopen(func() {
						if f := <-failed; f.Err == nil {
							t.Errorf("failure is %+v, want an error of the transport", f)
						}
					})
				}
				p.accept()
				update := p.expect("UPDATE").(*sip.Request)
				if got := field(update, "Session-Expires"); got != "6;refresher=uac" {
					t.Errorf("the refresh on the new connection says %q, want 6;refresher=uac", got)
				}
				p.accepts(update, "Session-Expires: 6;refresher=uac")
				p.accepts(p.expect("UPDATE"), "Session-Expires: 6;refresher=uac") // and on it goes
				if s := d.LoadState(); s != sip.DialogStateConfirmed || d.Context().Err() != nil {
					t.Errorf("the dialog is in state %v, want it alive", s)
				}
				o.wantMonotonic(t)
				want := 0 // a caller's Contact takes the refresh that its stream has lost
				if when == "during the refresh" && caller {
					want = 1 // the stream was to there
				}
				if len(failed) != want {
					t.Errorf("%d failures told, want %d", len(failed), want)
				}
				sipnet.CheckCSeq(t, p.log)
			})
		}
	}
}

// wantMonotonic checks that sessions count from a monotonic time: setting the wall clock
// must neither end a call nor keep it up.
func (o *onStream) wantMonotonic(t *testing.T) {
	t.Helper()
	n := 0
	for d, err := range o.timers.Store().All(context.Background()) {
		if n++; err != nil || !strings.Contains(d.Session.Since.String(), " m=") {
			t.Errorf("F-27: the session begins at %v (%v), want a monotonic reading", d.Session.Since, err)
		}
	}
	if n != 1 {
		t.Errorf("%d sessions, want one", n)
	}
}

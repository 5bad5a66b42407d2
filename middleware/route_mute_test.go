package middleware_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Real sockets on loopback, in real time, for what the in-memory network cannot
// show: handshakes, and the buffers of a kernel.

// restored is a user agent that takes up stored calls and tells of those that expire.
func restored(t *testing.T, rows ...dialogstore.Dialog) (timers *middleware.Timers, ended <-chan string) {
	t.Helper()
	ua, err := sipgo.NewUA(sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(sipua.Quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(sipua.Quiet)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ua.Close() })
	server, _ := sipgo.NewServer(ua, sipgo.WithServerLogger(sipua.Quiet))
	client, _ := sipgo.NewClient(ua, sipgo.WithClientLogger(sipua.Quiet), sipgo.WithClientHostname("127.0.0.1"))
	ids := make(chan string, len(rows))
	timers, err = middleware.New(ua, middleware.WithUnsafeIntervals(), middleware.WithLogger(sipua.Quiet), inLabOn(leftBehind(t, rows...)),
		middleware.WithEventHandler(func(e sessiontimer.Event) {
			if e, expired := e.(sessiontimer.Expired); expired {
				ids <- e.CallID
			}
		}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := timers.Attach(server, client); err != nil {
		t.Fatal(err)
	}
	return timers, ids
}

// streamCall is a call over a stream transport of which the peer is at addr, to be
// refreshed at half of the interval.
func streamCall(id, transport string, addr net.Addr, interval time.Duration) dialogstore.Dialog {
	policy := sessiontimer.DefaultPolicy()
	policy.Unsafe = true
	return dialogstore.Dialog{
		Origin: dialogstore.Origin{
			ID:        dialogstore.ID{CallID: id, LocalTag: "l", RemoteTag: "r"},
			LocalURI:  "<sip:l@127.0.0.1>;tag=l",
			RemoteURI: "<sip:r@127.0.0.1>;tag=r",
			Transport: transport,
			Policy:    policy,
		},
		State: dialogstore.State{
			RemoteTarget: "sip:r@" + addr.String() + ";transport=" + transport,
			Contact:      "<sip:l@127.0.0.1:5060;transport=" + transport + ">",
			SDP:          []byte(sipnet.SDP),
			SDPType:      "application/sdp",
			PeerUpdate:   true,
			PeerTimer:    true,
			Session:      sessiontimer.Session{Interval: interval, Refresher: sessiontimer.Local, Since: time.Now()},
		},
	}
}

// within waits for what must come soon, though not how soon.
func within[T any](t *testing.T, c <-chan T, what string) (got T) {
	t.Helper()
	select {
	case got = <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s after 20 s", what)
	}
	return got
}

// A peer that accepts connections and never answers a handshake: two calls over the
// dial that they share end, and so does Close.
func TestMuteHandshake(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of real time")
	}
	for _, transport := range []string{"tls", "ws", "wss"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			mute, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = mute.Close() }()
			timers, ended := restored(t, streamCall("first", transport, mute.Addr(), 2*time.Second),
				streamCall("second", transport, mute.Addr(), 3*time.Second))
			for _, want := range []string{"first", "second"} {
				if got := within(t, ended, "BYE of "+want); got != want {
					t.Errorf("%s ends, want %s", got, want)
				}
			}
			closed := make(chan error, 1)
			go func() { closed <- timers.Close() }()
			var stuck *middleware.CloseError
			if err := within(t, closed, "end of Close"); err != nil && (transport != "wss" || !errors.As(err, &stuck)) {
				t.Errorf("Close: %v; sipgo's WSS upgrade alone cannot be called off", err)
			}
		})
	}
}

// A peer whose kernel takes no more, as that of a process that is frozen.
func TestZeroWindow(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of real time")
	}
	t.Parallel()
	p := newStreamPeer(t)
	o := newOnStream(t, middleware.WithSessionExpires(2*time.Second), middleware.WithMaxInterval(2*time.Second))
	d := o.call(t, p, true)
	_ = p.conn.(*net.TCPConn).SetReadBuffer(4096)
	conn, err := o.transports.GetConnection("tcp", p.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	raw := conn.(net.Conn)
	for _, size := range []int{1 << 16, 1 << 10, 1} {
		for err = nil; err == nil; {
			_ = raw.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			_, err = raw.Write(make([]byte, size))
		}
	}
	_ = raw.SetWriteDeadline(time.Time{})
	hung := make(chan struct{})
	go func() { // what sipgo does with any message
		defer close(hung)
		_ = conn.WriteMsg(sip.NewRequest(sip.OPTIONS, p.uri()))
	}()
	within(t, d.Context().Done(), "end of the dialog")
	select {
	case <-hung:
		t.Error("a message passes: the window is not zero")
	default:
	}
	closed := make(chan error, 1)
	go func() { closed <- o.timers.Close() }()
	var stuck *middleware.CloseError
	if err := within(t, closed, "end of Close"); !errors.As(err, &stuck) {
		t.Errorf("Close says %v, want how many are stuck", err)
	}
	p.reset()
	within(t, hung, "end of the write when the connection is reset")
	if err := o.timers.Close(); err != nil {
		t.Errorf("Close after the connection is reset: %v", err)
	}
}

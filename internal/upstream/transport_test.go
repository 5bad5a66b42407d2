package upstream

import (
	"context"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// TestSharedDial: if two requests go to one address, the second waits for the dial of the
// first, however long that takes and whatever its own deadline, and gets its error.
func TestSharedDial(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		dialler := net.Dialer{ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
			<-ctx.Done() // nobody answers
			return ctx.Err()
		}}
		ua, err := sipgo.NewUA(sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerTransports(sip.TransportsConfig{
			TCP: &sip.TransportTCP{DialerCreate: func(net.Addr) net.Dialer { return dialler }}})))
		if err != nil {
			t.Fatal(err)
		}
		client, err := sipgo.NewClient(ua, sipgo.WithClientHostname("127.0.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ask := func(ctx context.Context) <-chan time.Duration {
			done := make(chan time.Duration, 1)
			req := sip.NewRequest(sip.OPTIONS, uri(t, "127.0.0.1:5060"))
			req.SetTransport("TCP")
			go func() {
				if _, err := client.TransactionRequest(ctx, req); err == nil {
					t.Error("connected, where nobody answers")
				}
				done <- time.Since(start)
			}()
			synctest.Wait()
			return done
		}
		patient, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first, second := ask(patient), ask(hasty)
		if at := <-first; at != 40*time.Second {
			t.Errorf("the first gives up after %v, want its 40 s", at)
		}
		if at := <-second; at != 40*time.Second {
			t.Errorf("the second gives up after %v: mended", at)
		}
		_ = ua.Close()
	})
}

// TestUpgradeIsNotCancelled: a WSS dial whose handshake is never answered goes on
// after its context has been cancelled; one over TLS ends.
func TestUpgradeIsNotCancelled(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	ua, err := sipgo.NewUA()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ua.Close() }()
	client, err := sipgo.NewClient(ua, sipgo.WithClientHostname("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	dial := func(transport string) (accepted net.Conn, cancel context.CancelFunc, done <-chan struct{}) {
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		req := sip.NewRequest(sip.OPTIONS, uri(t, mute.Addr().String()))
		req.SetTransport(transport)
		go func() {
			defer close(over)
			_, _ = client.TransactionRequest(ctx, req)
		}()
		conn, err := mute.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil { // the handshake has begun
			t.Fatal(err)
		}
		return conn, cancel, over
	}
	conn, cancel, done := dial("TLS")
	defer func() { _ = conn.Close() }()
	cancel()
	<-done
	conn, cancel, done = dial("WSS")
	cancel()
	select {
	case <-done:
		t.Error("the dial has ended: mended")
	case <-time.After(500 * time.Millisecond):
	}
	_ = conn.Close()
	<-done
}

// TestWildcardSocket: a client bound to 0.0.0.0 sends its first request; for the
// second it does not find its socket, since that calls itself [::], and opens it again.
func TestWildcardSocket(t *testing.T) {
	peer, free := listen(t), listen(t)
	port := free.LocalAddr().(*net.UDPAddr).Port
	_ = free.Close()
	ua, err := sipgo.NewUA()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ua.Close() }()
	client, err := sipgo.NewClient(ua, sipgo.WithClientHostname("127.0.0.1"), sipgo.WithClientConnectionAddr("0.0.0.0:"+strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		tx, err := client.TransactionRequest(t.Context(), sip.NewRequest(sip.OPTIONS, uri(t, peer.LocalAddr().String())))
		if err == nil {
			defer tx.Terminate()
		}
		switch {
		case i == 0 && err != nil:
			t.Fatalf("the first request: %v", err)
		case i == 1 && (err == nil || !strings.Contains(err.Error(), "address already in use")):
			t.Errorf("the second request: %v: mended, or :: and 0.0.0.0 are apart here", err)
		}
	}
}

// TestManyParameters: the time to read the parameters of a header field grows with
// the square of their number.
func TestManyParameters(t *testing.T) {
	least := func(n int) time.Duration {
		var b strings.Builder
		for i := range n {
			b.WriteString(";p" + strconv.Itoa(i))
		}
		line, best := b.String(), time.Hour
		for range 5 {
			start := time.Now()
			var params sip.HeaderParams
			for _, p := range strings.Split(line[1:], ";") {
				params.Add(p, "")
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	few, many := least(500), least(8000)
	if ratio := float64(many) / float64(few); ratio < 40 {
		t.Errorf("16 times the parameters take %.0f times the time: mended", ratio)
	}
}

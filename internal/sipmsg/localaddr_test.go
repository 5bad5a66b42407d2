package sipmsg

import (
	"net"
	"testing"

	"github.com/emiago/sipgo/sip"
)

type connAt struct {
	sip.Connection
	addr net.Addr
}

func (c connAt) LocalAddr() net.Addr { return c.addr }

// A connection has an address only where that is one of a socket.
func TestLocalAddr(t *testing.T) {
	for _, c := range []struct {
		name string
		conn sip.Connection
		want string
	}{
		{"no connection", nil, ""},
		{"no address", connAt{}, ""},
		{"a socket", connAt{addr: &net.UDPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 5060}}, "10.0.0.1:5060"},
		{"IPv6", connAt{addr: &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 5060}}, "[2001:db8::1]:5060"},
		{"a pipe", connAt{addr: &net.UnixAddr{Name: "pipe", Net: "unix"}}, ""},
	} {
		if got := LocalAddr(c.conn); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAddr(t *testing.T) {
	for text, want := range map[string]sip.Addr{
		"10.0.0.1:5060": {IP: net.IPv4(10, 0, 0, 1), Port: 5060, Hostname: "10.0.0.1"},
		"example.com:5": {Port: 5, Hostname: "example.com"},
		"10.0.0.1:port": {},
	} {
		got, ok := Addr(text)
		if ok != (want.Hostname != "") || !got.IP.Equal(want.IP) || got.Port != want.Port || got.Hostname != want.Hostname {
			t.Errorf("%s: %+v, %t; want %+v", text, got, ok, want)
		}
	}
}

// What a transport carries: sipgo refuses larger datagrams, and reads no more of a
// WebSocket frame than its buffer holds.
func TestFits(t *testing.T) {
	limits := map[string]int{"UDP": int(sip.UDPMTUSize) - 200, "udp": int(sip.UDPMTUSize) - 200, "TCP": sip.ParseMaxMessageLength, "TLS": sip.ParseMaxMessageLength}
	ws := min(sip.ParseMaxMessageLength, int(sip.TransportBufferReadSize))
	limits["WS"], limits["WSS"], limits["wss"] = ws, ws, ws
	for transport, limit := range limits {
		req := sip.NewRequest(sip.OPTIONS, sip.Uri{Scheme: "sip", Host: "h"})
		req.SetTransport(transport)
		var n lengthWriter
		req.SetBody(make([]byte, limit))
		req.StringWrite(&n)
		req.SetBody(make([]byte, limit-(int(n)-limit)))
		n = 0
		if req.StringWrite(&n); int(n) != limit {
			t.Fatalf("%s: %d bytes, want %d", transport, n, limit)
		}
		if !Fits(req, req) {
			t.Errorf("%s: %d bytes do not fit", transport, limit)
		}
		req.SetBody(make([]byte, len(req.Body())+1))
		if Fits(req, req) {
			t.Errorf("%s: %d bytes fit", transport, limit+1)
		}
	}
}

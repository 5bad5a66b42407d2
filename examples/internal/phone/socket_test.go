package phone

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/emiago/sipgo/sip"
)

func open(t *testing.T, transport, addr string) *Socket {
	t.Helper()
	s, err := Open(transport, addr)
	if err != nil {
		t.Skipf("no %s here: %v", addr, err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestURI(t *testing.T) {
	tests := []struct{ transport, listen, user, peer, want string }{
		{"udp", "127.0.0.1:0", "bob", Anywhere, "sip:bob@127.0.0.1:PORT"},
		{"tcp", "127.0.0.1:0", "", Anywhere, "sip:127.0.0.1:PORT;transport=tcp"},
		{"udp", "[::1]:0", "bob", Anywhere, "sip:bob@[::1]:PORT"},
		{"udp", "0.0.0.0:0", "bob", "127.0.0.1:5060", "sip:bob@127.0.0.1:PORT"},
		{"udp", ":0", "bob", "127.0.0.1:5060", "sip:bob@127.0.0.1:PORT"},
		{"udp", "[::]:0", "bob", "[::1]:5060", "sip:bob@[::1]:PORT"},
		{"udp", "0.0.0.0:0", "bob", "no address", "sip:bob@127.0.0.1:PORT"},
	}
	for _, tt := range tests {
		t.Run(tt.transport+" "+tt.listen+" for "+tt.peer, func(t *testing.T) {
			s := open(t, tt.transport, tt.listen)
			uri := s.URI(tt.user, tt.peer)
			_, port, err := net.SplitHostPort(s.Addr)
			if err != nil || port != strconv.Itoa(uri.Port) {
				t.Fatalf("bound to %s, URI has port %d", s.Addr, uri.Port)
			}
			if want := strings.ReplaceAll(tt.want, "PORT", port); uri.String() != want {
				t.Errorf("URI is %s, want %s", uri.String(), want)
			}
		})
	}
}

func TestOpenBusy(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		s := open(t, transport, "127.0.0.1:0")
		_, err := Open(transport, s.Addr)
		want := "cannot listen on " + transport + " " + s.Addr + ": address already in use"
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestWhy(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{fmt.Errorf("dial: %w", &net.DNSError{Err: "no such host", Name: "x"}), "no such host"},
		{fmt.Errorf("write: %w", syscall.ECONNREFUSED), "connection refused"},
		{&net.OpError{Op: "listen", Err: &net.AddrError{Err: "invalid port", Addr: "1"}}, "invalid port"},
		{errors.Join(errors.New("transaction terminated"), sip.ErrTransactionTimeout), "no answer"},
		{errors.Join(errors.New("one"), io.EOF), "one: EOF"},
	}
	for _, tt := range tests {
		if got := Why(tt.err); got != tt.want {
			t.Errorf("Why(%q) is %q, want %q", tt.err, got, tt.want)
		}
	}
}

package client

import (
	"slices"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// by returns a requester of a further client, which writes addr into Via.
func (s *stack) by(t *testing.T, addr string) *Requester {
	t.Helper()
	host, port, err := sip.ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	return &Requester{c: s.Client, client: s.r.client, sentBy: sip.Addr{Hostname: host, Port: port}}
}

// A datagram leaves from the dialog's own socket if that is open, else from the client's, from
// that where calls come in, or from one that the program listens on. If none is open it is up
// to sipgo. A stream has no socket to choose.
func TestFromOpenSocket(t *testing.T) {
	const closed, other = "10.0.0.5:5060", "10.0.0.1:5070"
	for _, c := range []struct {
		name     string
		laddr    string // as the dialog has it; empty for a stream
		client   string
		cameInAt string
		want     string
	}{
		{"the dialog's", other, us, us, other},
		{"the client's", closed, us, other, us},
		{"where calls come in", closed, closed, other, other},
		{"none", closed, closed, closed, ""},
		{"none known", closed, closed, "", ""},
		{"a stream", "", us, us, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inStack(t, func(t *testing.T, s *stack) {
				s.listen(other)
				var d dialogstore.Dialog
				d.Transport, d.LocalAddr = "udp", c.laddr
				req := sip.NewRequest(sip.BYE, uri(t, "sip:peer@"+them))
				if c.laddr != "" {
					req.Laddr, _ = sipmsg.Addr(c.laddr)
				}
				s.calls.CameInAt(c.cameInAt)
				s.by(t, c.client).fromOpenSocket(req, &d)
				if got := req.Laddr; c.want == "" && got.IP != nil || c.want != "" && got.String() != c.want {
					t.Errorf("it leaves from %q, want %q", got.String(), c.want)
				}
			})
		})
	}
}

// The sockets to try are the client's, the one where calls come in, and for each port that the
// program listens on those of all addresses and of the client's.
func TestSockets(t *testing.T) {
	inStack(t, func(t *testing.T, s *stack) {
		s.calls.CameInAt("10.0.0.5:5060")
		var d dialogstore.Dialog
		d.Transport = "UDP"
		got := s.by(t, "10.0.0.1:5099").sockets(&d)
		want := []string{"10.0.0.1:5099", "10.0.0.5:5060", "0.0.0.0:5060", "[::]:5060", "10.0.0.1:5060"}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

package sipua

import (
	"context"
	"net"
	"syscall"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// Stock makes the user agent of New without timers: what the application does by
// itself. Its Server and Timers are nil.
func Stock(t testing.TB, n *sipnet.Network, name, addr, transport string) *UA {
	t.Helper()
	u, server := newUA(t, n, name, addr, transport)
	u.handle(server)
	u.serve(server)
	return u
}

func (u *UA) closeTimers() {
	if u.Timers != nil {
		_ = u.Timers.Close()
	}
}

// nowhere is a resolver that knows no name and asks nobody.
func nowhere() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }}
}

// inMemory keeps sipgo from dialling real networks: it asks n instead.
func inMemory(n *sipnet.Network) sip.TransportsConfig {
	return sip.TransportsConfig{TCP: &sip.TransportTCP{DialerCreate: func(net.Addr) net.Dialer {
		return net.Dialer{Control: func(_, addr string, _ syscall.RawConn) error { return n.Dial(addr) }}
	}}}
}

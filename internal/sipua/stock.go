package sipua

import (
	"context"
	"net"
	"syscall"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// Stock makes the same user agent as New, without timers. Its Server and Timers are nil.
func Stock(t testing.TB, n *sipnet.Network, name, addr, transport string) *UA {
	t.Helper()
	u, server := newUA(t, n, name, addr, transport)
	u.handle(server)
	u.serve(server)
	close(u.ready)
	return u
}

func (u *UA) closeTimers() {
	if u.Timers != nil {
		_ = u.Timers.Close()
	}
}

// nowhere is a resolver that knows no names and sends no queries.
func nowhere() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED }}
}

// inMemory makes sipgo dial n and not a real network.
func inMemory(n *sipnet.Network) sip.TransportsConfig {
	return sip.TransportsConfig{TCP: &sip.TransportTCP{DialerCreate: func(net.Addr) net.Dialer {
		return net.Dialer{Control: func(_, addr string, _ syscall.RawConn) error { return n.Dial(addr) }}
	}}}
}

package indialog

import "testing"

// RFC 7118 §5, docs/routing.md: a peer is behind a NAT if its own addresses are not where its messages come from. Where
// a proxy is between, only a private address shows that; where the proxies stay in the path,
// nothing does.
func TestBehind(t *testing.T) {
	const (
		public  = "192.0.2.9:40000"
		carrier = "100.64.3.4:40000"
		lan     = "10.0.0.9:5060"
	)
	for _, c := range []struct {
		name string
		seen Seen
		want bool
	}{
		{"honest", Seen{"udp", "192.0.2.9", "192.0.2.9", 1, public, false}, false},
		{"honest, in a LAN", Seen{"udp", "10.0.0.9", "10.0.0.9", 1, lan, false}, false},
		{"honest, IPv6", Seen{"tcp", "[2001:db8::1]", "[2001:db8::1]", 1, "[2001:db8::1]:40000", false}, false},
		{"behind a NAT", Seen{"udp", "192.168.1.5", "192.168.1.5", 1, public, false}, true},
		{"behind a NAT that is private too", Seen{"udp", "192.168.1.5", "192.168.1.5", 1, lan, false}, true},
		{"behind a carrier's NAT", Seen{"udp", "100.64.3.4", "100.64.3.4", 1, public, false}, true},
		{"a carrier's address in the Contact", Seen{"udp", "100.64.3.4", "192.0.2.9", 2, public, false}, true},
		{"seen at a carrier's address", Seen{"udp", "192.168.1.5", "192.168.1.5", 1, carrier, false}, true},
		{"loopback in the Contact", Seen{"udp", "127.0.0.1", "192.0.2.9", 1, public, false}, true},
		{"link-local in the Contact", Seen{"udp", "169.254.7.7", "192.0.2.9", 1, public, false}, true},
		{"private Contact, a proxy between that records nothing", Seen{"udp", "192.168.1.5", "192.0.2.9", 2, public, false}, true},
		{"private Contact, a private proxy between", Seen{"udp", "192.168.1.5", "10.0.0.9", 2, lan, false}, false},
		{"private Contact behind a recording proxy", Seen{"udp", "192.168.1.5", "192.0.2.9", 2, public, true}, false},
		{"public Contact elsewhere, through a proxy", Seen{"udp", "198.51.100.7", "192.0.2.9", 2, public, false}, false},
		{"public Contact elsewhere, where a proxy is", Seen{"udp", "198.51.100.7", "198.51.100.7", 2, public, false}, false},
		{"public Contact elsewhere, own Via says so too", Seen{"udp", "198.51.100.7", "198.51.100.7", 1, public, false}, true},
		{"public Contact elsewhere, own Via does not", Seen{"udp", "198.51.100.7", "192.0.2.9", 1, public, false}, false},
		{"a name in the Contact", Seen{"udp", "peer.example.com", "192.0.2.9", 1, public, false}, false},
		{"a browser", Seen{"ws", "df7jal23ls0d.invalid", "df7jal23ls0d.invalid", 1, public, false}, true},
		{"not a browser, over WebSocket", Seen{"ws", "192.0.2.9", "192.0.2.9", 1, public, false}, true},
		{"a browser behind a recording proxy", Seen{"wss", "df7jal23ls0d.invalid", "192.0.2.9", 2, public, true}, false},
		{".invalid over UDP", Seen{"udp", "df7jal23ls0d.invalid", "192.0.2.9", 1, public, false}, true},
		{"IPv4 in IPv6", Seen{"udp", "192.0.2.9", "192.0.2.9", 1, "[::ffff:192.0.2.9]:40000", false}, false},
		{"IPv4 in IPv6 in the Contact", Seen{"udp", "[::ffff:192.0.2.9]", "[::ffff:192.0.2.9]", 1, public, false}, false},
		{"a carrier's address in IPv6 in the Contact", Seen{"udp", "[::ffff:100.64.3.4]", "192.0.2.9", 2, public, false}, true},
		{"seen at a carrier's address in IPv6", Seen{"udp", "192.168.1.5", "100.64.3.4", 2, "[::ffff:100.64.3.4]:5060", false}, false},
		{"the last address of a carrier", Seen{"udp", "100.127.255.255", "192.0.2.9", 2, public, false}, true},
		{"the last one below", Seen{"udp", "100.63.255.255", "192.0.2.9", 2, public, false}, false},
		{"the first one above", Seen{"udp", "100.128.0.0", "192.0.2.9", 2, public, false}, false},
		{"a private IPv6 address", Seen{"udp", "[fd00::5]", "192.0.2.9", 2, "[2001:db8::1]:40000", false}, true},
		{"a name in the Contact and in Via", Seen{"udp", "peer.example.com", "peer.example.com", 1, public, false}, false},
		{"a browser over TLS", Seen{"wss", "192.0.2.9", "192.0.2.9", 1, public, false}, true},
		{"a browser without a Contact", Seen{"ws", "", "192.0.2.9", 1, public, false}, false},
		{"a browser that is seen nowhere", Seen{"ws", "df7jal23ls0d.invalid", "192.0.2.9", 1, "", false}, false},
		{"a source that is no address", Seen{"udp", "192.168.1.5", "192.168.1.5", 1, "localhost:5060", false}, false},
		{"no source", Seen{"udp", "192.168.1.5", "192.168.1.5", 1, "", false}, false},
	} {
		if got := c.seen.Behind(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

package middleware

import (
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Where the sender of an INVITE is reached: by its Contact, which is the empty
// string, or at the address that it was seen at.
func TestNatSource(t *testing.T) {
	const (
		public  = "192.0.2.9:40000"
		carrier = "100.64.3.4:40000"
		lan     = "10.0.0.9:5060"
	)
	for _, c := range []struct {
		name, transport    string
		contact, via, from string
		hops               int // Vias
		routes             []string
		want               string
	}{
		{"honest", "udp", "192.0.2.9:5060", "192.0.2.9:5060", public, 1, nil, ""},
		{"honest, in a LAN", "udp", "10.0.0.9:5060", "10.0.0.9:5060", lan, 1, nil, ""},
		{"behind a NAT", "udp", "192.168.1.5:5060", "192.168.1.5:5060", public, 1, nil, public},
		{"behind a NAT, over TCP", "tcp", "192.168.1.5:5060", "192.168.1.5:5060", public, 1, nil, public},
		{"behind a NAT that is private too", "udp", "192.168.1.5:5060", "192.168.1.5:5060", lan, 1, nil, lan},
		{"behind a carrier's NAT", "udp", "100.64.3.4:5060", "100.64.3.4:5060", public, 1, nil, public},
		{"a carrier's address in the Contact", "udp", "100.64.3.4:5060", "192.0.2.9:5060", public, 2, nil, public},
		{"seen at a carrier's address", "udp", "192.168.1.5:5060", "192.168.1.5:5060", carrier, 1, nil, carrier},
		{"loopback in the Contact", "udp", "127.0.0.1:5060", "192.0.2.9:5060", public, 1, nil, public},
		{"link-local in the Contact", "udp", "169.254.7.7:5060", "192.0.2.9:5060", public, 1, nil, public},
		{"private Contact, a proxy between that records nothing", "udp", "192.168.1.5:5060", "192.0.2.9:5060", public, 2, nil, public},
		{"private Contact, a private proxy between", "udp", "192.168.1.5:5060", "10.0.0.9:5060", lan, 2, nil, ""},
		{"private Contact behind a recording proxy", "udp", "192.168.1.5:5060", "192.0.2.9:5060", public, 2, []string{"<sip:192.0.2.9;lr>"}, ""},
		{"public Contact elsewhere, through a proxy", "udp", "198.51.100.7:5060", "192.0.2.9:5060", public, 2, nil, ""},
		{"public Contact elsewhere, own Via says so too", "udp", "198.51.100.7:5060", "198.51.100.7:5060", public, 1, nil, public},
		{"public Contact elsewhere, own Via does not", "udp", "198.51.100.7:5060", "192.0.2.9:5060", public, 1, nil, ""},
		{"a name in the Contact", "udp", "peer.example.com", "192.0.2.9:5060", public, 1, nil, ""},
		{"a browser", "ws", "df7jal23ls0d.invalid", "df7jal23ls0d.invalid", public, 1, nil, public},
		{"not a browser, over WebSocket", "ws", "192.0.2.9:5060", "192.0.2.9:5060", public, 1, nil, public},
		{"a browser, secure", "wss", "192.0.2.9:5060", "192.0.2.9:5060", public, 1, nil, public},
		{"a browser behind a recording proxy", "wss", "df7jal23ls0d.invalid", "192.0.2.9:5060", public, 2, []string{"<sip:192.0.2.9;lr>"}, ""},
		{".invalid over UDP", "udp", "df7jal23ls0d.invalid", "192.0.2.9:5060", public, 1, nil, public},
		{"IPv4 in IPv6", "udp", "192.0.2.9:5060", "192.0.2.9:5060", "[::ffff:192.0.2.9]:40000", 1, nil, ""},
		{"no source", "udp", "192.168.1.5:5060", "192.168.1.5:5060", "", 1, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := sip.NewRequest(sip.INVITE, sip.Uri{Scheme: "sip", Host: "10.0.0.2"})
			for range c.hops {
				var via sip.ViaHeader
				via.ProtocolName, via.ProtocolVersion, via.Transport, via.Params = "SIP", "2.0", "UDP", sip.NewParams()
				via.Host, via.Port, _ = sip.ParseAddr(c.via)
				req.AppendHeader(&via)
			}
			var uri sip.Uri
			if err := sip.ParseUri("sip:peer@"+c.contact, &uri); err != nil {
				t.Fatal(err)
			}
			req.AppendHeader(&sip.ContactHeader{Address: uri})
			req.SetSource(c.from)
			if got := natSource(req, dialogstore.Dialog{Transport: c.transport, RouteSet: c.routes}); got != c.want {
				t.Errorf("natSource is %q, should be %q", got, c.want)
			}
		})
	}
}

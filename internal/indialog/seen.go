package indialog

import (
	"net/netip"
	"strings"
)

// Seen describes a message of the peer as it arrived.
type Seen struct {
	Transport string
	Contact   string // host
	Via       string // host of the topmost
	Hops      int    // how many Vias
	Source    string // host:port
	Routed    bool   // the dialog has a route set, so the proxies know the way
}

// Behind reports whether the peer is behind a NAT and cannot be reached at its Contact: the
// Contact has no address (RFC 7118 §5) or a private one while the source of the message is
// public, or both Contact and Via differ from the source.
func (s Seen) Behind() bool {
	if s.Routed || s.Contact == "" || s.Source == "" {
		return false
	}
	if s.Transport == "ws" || s.Transport == "wss" || strings.HasSuffix(s.Contact, ".invalid") {
		return true
	}
	source, err := netip.ParseAddrPort(s.Source)
	to, err2 := netip.ParseAddr(strings.Trim(s.Contact, "[]"))
	if err != nil || err2 != nil {
		return false
	}
	from, to := source.Addr().Unmap(), to.Unmap()
	if from == to {
		return false
	}
	direct := s.Hops == 1 && s.Via == s.Contact
	return direct || private(to) && !private(from)
}

// sharedSpace is the address space of carrier-grade NAT (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || sharedSpace.Contains(a)
}

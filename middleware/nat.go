package middleware

import (
	"net/netip"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// natSource is where the sender of an INVITE or UPDATE is reached if its Contact
// leads nowhere: a refresh sent there would get no answer and end the call. It is
// empty where the Contact, or a proxy in the route set, is to be trusted.
func natSource(req *sip.Request, d dialogstore.Dialog) string {
	contact, via, source := req.Contact(), req.Via(), req.MessageData.Source()
	if contact == nil || via == nil || source == "" || len(d.RouteSet) > 0 {
		return ""
	}
	if d.Transport == "ws" || d.Transport == "wss" || strings.HasSuffix(contact.Address.Host, ".invalid") {
		return source // a browser has no address (RFC 7118 §5)
	}
	from, err := netip.ParseAddrPort(source)
	to, err2 := netip.ParseAddr(contact.Address.Host)
	if err != nil || err2 != nil {
		return ""
	}
	if to.Unmap() == from.Addr().Unmap() {
		if sip.IsReliable(d.Transport) {
			return source // a client that listens nowhere is reached on its own connection
		}
		return ""
	}
	// It says in Via too that it has another address than it was seen at, or has
	// one that no stranger can reach.
	direct := len(req.GetHeaders("via")) == 1 && via.Host == contact.Address.Host
	if direct || private(to) && !private(from.Addr().Unmap()) {
		return source
	}
	return ""
}

// sharedSpace is that of carrier-grade NAT (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || sharedSpace.Contains(a)
}

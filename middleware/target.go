package middleware

import (
	"context"
	"net"
	"strings"

	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// moved notes the Contact of an accepted INVITE or UPDATE, and where that came from
// if its Contact does not lead there: that is where the peer of the dialog is from
// now on (RFC 3261 §12.2). Until it names another place than d does, the application
// knows where that is. localAddr is our socket.
func (m *member) moved(d dialogstore.Dialog, contact *sip.ContactHeader, source string, localAddr func() string) {
	told := sipmsg.Target(contact)
	if told == nil {
		return
	}
	m.Lock()
	first := m.target == nil
	m.Unlock()
	if first && (source == "" || source == d.Destination) && sipmsg.Text(told) == d.RemoteTarget {
		return
	}
	uri, from := told.Clone(), localAddr()
	m.Lock()
	defer m.Unlock()
	if first {
		m.former = d.Destination
	}
	m.target, m.from = uri, from
}

// follow sends a request of the application to where the peer is. What moved the
// peer may have been answered here, without the application. A strict router
// keeps its place, and so does a destination that is not one of the peer.
func (r *requester) follow(l *leg, m *member, req *sip.Request) {
	target, former, from := m.elsewhere(req)
	if target == nil {
		return
	}
	d, _ := r.t.store.Load(context.Background(), l.id(sipmsg.ToTag(req)))
	if pinned := req.MessageData.Destination(); pinned == "" || pinned == former || pinned != d.Destination && ofTarget(pinned, req, target) {
		req.SetDestination(d.Destination)
	}
	req.Recipient = *target.Clone()
	if sip.IsReliable(req.Transport()) || req.Laddr.IP != nil || !r.has("udp", from) {
		return
	}
	// sipgo would open a socket of its own for an address that it has not heard
	// from; a firewall or NAT knows ours.
	if host, port, err := sip.ParseAddr(from); err == nil {
		req.Laddr = sip.Addr{IP: net.ParseIP(host), Port: port, Hostname: host}
	}
}

// ofTarget reports whether a request that does not know of target yet goes to where
// its URI leads, as a clone does, or to another port there, as one does that goes to
// where the INVITE came from.
func ofTarget(pinned string, req *sip.Request, target *sip.Uri) bool {
	if target.String() == req.Recipient.String() {
		return false
	}
	host, _, err := sip.ParseAddr(pinned)
	return pinned == sipmsg.Implied(req) || err == nil && host == strings.Trim(req.Recipient.Host, "[]")
}

// elsewhere is where the peer has moved to, where its requests went before, and our
// socket for it; a nil target if it has not moved, or a strict router comes first.
func (m *member) elsewhere(req *sip.Request) (target *sip.Uri, former, from string) {
	m.Lock()
	target, former, from = m.target, m.former, m.from
	m.Unlock()
	if target == nil {
		return nil, "", ""
	}
	if r := req.Route(); r != nil && (r.Address.UriParams == nil || !r.Address.UriParams.Has("lr")) {
		return nil, "", ""
	}
	return target, former, from
}

// laddr is our address on the connection of a request.
func (in *incoming) laddr() string {
	if c, ok := in.ServerTransaction.(interface{ Connection() sip.Connection }); ok {
		return localAddr(c.Connection())
	}
	return ""
}

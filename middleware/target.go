package middleware

import (
	"context"
	"net"

	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// moved notes the Contact of an accepted INVITE or UPDATE: that is where the
// peer of the dialog is from now on (RFC 3261 §12.2). Until it names another place
// than d does, the application knows where that is. localAddr is our socket.
func (m *member) moved(d dialogstore.Dialog, contact *sip.ContactHeader, localAddr func() string) {
	told := sipmsg.Target(contact)
	if told == nil {
		return
	}
	m.Lock()
	same := m.target == nil && sipmsg.Text(told) == d.RemoteTarget
	m.Unlock()
	if same {
		return
	}
	uri, from := told.Clone(), localAddr()
	m.Lock()
	defer m.Unlock()
	m.target, m.from = uri, from
}

// follow sends a request of the application to where the peer is. What moved the
// peer may have been answered here, without the application. A strict router
// keeps its place, and so does a destination that the application chose.
func (t *Timers) follow(l *leg, m *member, req *sip.Request) {
	target, from := m.elsewhere(req)
	if target == nil {
		return
	}
	d, _ := t.store.Load(context.Background(), l.id(sipmsg.ToTag(req)))
	if pinned := req.MessageData.Destination(); pinned != "" && pinned != d.Destination && pinned == sipmsg.Implied(req) {
		req.SetDestination("") // by Clone, not by the application
	}
	req.Recipient = *target.Clone()
	if sip.IsReliable(req.Transport()) || req.Laddr.IP != nil {
		return
	}
	// sipgo would open a socket of its own for an address that it has not heard
	// from; a firewall or NAT knows ours.
	if host, port, err := sip.ParseAddr(from); err == nil {
		req.Laddr = sip.Addr{IP: net.ParseIP(host), Port: port, Hostname: host}
	}
}

// elsewhere is where the peer has moved to, and our socket for it, if req does
// not go there.
func (m *member) elsewhere(req *sip.Request) (target *sip.Uri, from string) {
	m.Lock()
	target, from = m.target, m.from
	m.Unlock()
	if target == nil || target.String() == req.Recipient.String() {
		return nil, ""
	}
	if r := req.Route(); r != nil && (r.Address.UriParams == nil || !r.Address.UriParams.Has("lr")) {
		return nil, ""
	}
	return target, from
}

// laddr is our address on the connection of a request.
func (in *incoming) laddr() string {
	if c, ok := in.ServerTransaction.(interface{ Connection() sip.Connection }); ok {
		return localAddr(c.Connection())
	}
	return ""
}

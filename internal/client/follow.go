package client

import (
	"context"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// follow directs a request of the application to where the peer is now. The application
// may not know: the timers may have answered the re-INVITE or UPDATE with the peer's new
// Contact. A strict router in the Request-URI stays, and so does a destination that is not
// an address of the peer.
//
// It reports whether it has set the destination, which then is not the application's
// choice.
func (r *Requester) follow(l *dialogset.Set, m *dialogset.Dialog, req *sip.Request) (led bool) {
	target, former, from := m.Elsewhere(req)
	if target == nil {
		return false
	}
	d, _ := r.c.calls.Store.Load(context.Background(), l.ID(sipmsg.ToTag(req)))
	place := r.place(&d)
	if pinned := req.MessageData.Destination(); pinned == "" || pinned == former || pinned != place && ofTarget(pinned, req, target) {
		req.SetDestination(place)
		led = true
	}
	req.Recipient = *target.Clone()
	if sip.IsReliable(req.Transport()) || req.Laddr.IP != nil || !r.has("udp", from) {
		return led
	}
	// sipgo would open a new socket for an address that it has received nothing from.
	// Firewalls and NATs know the socket that from names.
	if laddr, ok := sipmsg.Addr(from); ok {
		req.Laddr = laddr
	}
	return led
}

// place returns the first place to try for the peer of d; empty for where the URIs lead.
func (r *Requester) place(d *dialogstore.Dialog) string {
	for _, c := range indialog.FactsOf(d, "").Candidates() {
		if !c.Open || r.has(d.Transport, c.Addr) {
			return c.Addr
		}
	}
	return ""
}

// ofTarget reports whether pinned is an address of the peer's former target: the host that
// the Request-URI names, at any port. A clone has the destination that its URI leads to,
// and sipgo's dialogs use the source of the INVITE, which may have another port.
func ofTarget(pinned string, req *sip.Request, target *sip.Uri) bool {
	if target.String() == req.Recipient.String() {
		return false
	}
	host, _, err := sip.ParseAddr(pinned)
	return err == nil && host == strings.Trim(req.Recipient.Host, "[]")
}

// has reports whether there is an open connection to addr or, for UDP, an open socket at
// addr.
func (r *Requester) has(transport, addr string) bool {
	conn, err := r.client.TransportLayer().GetConnection(transport, addr)
	if err != nil {
		return false
	}
	_, _ = conn.TryClose() // the pool keeps it
	return true
}

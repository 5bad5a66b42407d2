package client

import (
	"context"
	"net"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// follow sends a request of the application to where the peer is. What moved the
// peer may have been answered here, without the application. A strict router
// keeps its place, and so does a destination that is not one of the peer.
//
// It reports whether the destination is ours then, and says nothing of where the
// application sends.
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
	// sipgo would open a socket of its own for an address that it has not heard
	// from; a firewall or NAT knows ours.
	if host, port, err := sip.ParseAddr(from); err == nil {
		req.Laddr = sip.Addr{IP: net.ParseIP(host), Port: port, Hostname: host}
	}
	return led
}

// place is where the peer of d is reached first; empty for where the URIs lead.
func (r *Requester) place(d *dialogstore.Dialog) string {
	for _, c := range indialog.FactsOf(d, "").Candidates() {
		if !c.Open || r.has(d.Transport, c.Addr) {
			return c.Addr
		}
	}
	return ""
}

// ofTarget reports whether a request that does not know of target yet goes to where
// its URI leads, as a clone does, or to another port there, as one does that goes to
// where the INVITE came from.
func ofTarget(pinned string, req *sip.Request, target *sip.Uri) bool {
	if target.String() == req.Recipient.String() {
		return false
	}
	host, _, err := sip.ParseAddr(pinned)
	return err == nil && host == strings.Trim(req.Recipient.Host, "[]")
}

// has reports whether a connection to or, for datagrams, from the address is open.
func (r *Requester) has(transport, addr string) bool {
	conn, err := r.client.TransportLayer().GetConnection(transport, addr)
	if err != nil {
		return false
	}
	_, _ = conn.TryClose() // the pool keeps it
	return true
}

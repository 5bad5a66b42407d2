package client

import (
	"net"
	"strconv"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// fromOpenSocket makes a datagram leave from an open socket: preferably the socket of the
// dialog, which firewalls and NATs on the way know. If that is not open, after a takeover or
// before the program listens, sipgo would open it itself, and the program could no longer
// listen there.
func (r *Requester) fromOpenSocket(req *sip.Request, d *dialogstore.Dialog) {
	if req.Laddr.IP == nil || r.has(d.Transport, d.LocalAddr) {
		return
	}
	req.Laddr = sip.Addr{}
	for _, addr := range r.sockets(d) {
		if !r.has(d.Transport, addr) {
			continue
		}
		if laddr, ok := sipmsg.Addr(addr); ok {
			req.Laddr = laddr
			return
		}
	}
}

// sockets returns addresses where a socket may be open: the client's own, the one where
// calls come in, and the ports that the program listens on.
func (r *Requester) sockets(d *dialogstore.Dialog) []string {
	addrs := []string{net.JoinHostPort(r.sentBy.Hostname, strconv.Itoa(r.sentBy.Port)), r.c.calls.Socket()}
	for _, port := range r.client.TransportLayer().ListenPorts(d.Transport) {
		for _, host := range []string{"0.0.0.0", "::", r.sentBy.Hostname} {
			addrs = append(addrs, net.JoinHostPort(host, strconv.Itoa(port)))
		}
	}
	return addrs
}

package client

import (
	"net"
	"strconv"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// fromOpenSocket sends a datagram of ours from the socket of the dialog, which firewalls
// and NATs on the way know. Where that is not open, as after a takeover or before the
// program listens, another one of ours is taken: sipgo would open that of the dialog, and
// the program could not.
func (r *Requester) fromOpenSocket(req *sip.Request, d *dialogstore.Dialog) {
	if req.Laddr.IP == nil || r.has(d.Transport, d.LocalAddr) {
		return
	}
	req.Laddr = sip.Addr{}
	for _, addr := range r.sockets(d) {
		if !r.has(d.Transport, addr) {
			continue
		}
		if host, port, err := sip.ParseAddr(addr); err == nil {
			req.Laddr = sip.Addr{IP: net.ParseIP(host), Port: port, Hostname: host}
			return
		}
	}
}

// sockets are where we may listen: what the client says of itself, where calls come in,
// and any address of the ports that the program listens on.
func (r *Requester) sockets(d *dialogstore.Dialog) []string {
	addrs := []string{net.JoinHostPort(r.sentBy.Hostname, strconv.Itoa(r.sentBy.Port)), r.c.calls.Socket()}
	for _, port := range r.client.TransportLayer().ListenPorts(d.Transport) {
		for _, host := range []string{"0.0.0.0", "::", r.sentBy.Hostname} {
			addrs = append(addrs, net.JoinHostPort(host, strconv.Itoa(port)))
		}
	}
	return addrs
}

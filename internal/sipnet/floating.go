package sipnet

import (
	"net"
	"net/netip"
)

// Float makes addr an address that several processes have by turns, as the nodes of a cluster
// have a virtual IP address. Each of them opens a PacketConn there. The one that has the
// address, see Move, receives what is sent to it; what the others send is lost.
func (n *Network) Float(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.floating[netip.MustParseAddrPort(addr).String()] = make(map[*packetConn]bool)
}

// Move gives a floating address to c, a PacketConn that was opened there. It does nothing if
// c is closed.
func (n *Network) Move(c net.PacketConn) {
	conn := c.(*packetConn)
	key := conn.addr.String()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.floating[key][conn] {
		n.udp[key] = conn
	}
}

package sipnet

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// PacketConn opens a UDP endpoint at addr, for example "10.0.0.1:5060". It
// serves RTP as well as SIP: read deadlines work as on a real socket, writes
// never block, and a datagram to an address where nobody listens is lost without
// an error. It panics on an address that is malformed or in use.
func (n *Network) PacketConn(addr string) net.PacketConn {
	c := &packetConn{
		net:  n,
		addr: net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)),
		in:   newInbox[datagram](),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	key := c.addr.String()
	floats := n.floating[key]
	if n.udp[key] != nil && floats == nil {
		panic(fmt.Sprintf("sipnet: udp address %s is in use", key))
	}
	if n.closed {
		_, _ = c.in.close()
		return c
	}
	if floats != nil {
		floats[c] = true
		return c
	}
	n.udp[key] = c
	return c
}

type datagram struct {
	from net.UDPAddr
	data []byte
}

type packetConn struct {
	net  *Network
	addr *net.UDPAddr
	in   *inbox[datagram]
}

// ReadFrom returns the next datagram; the part that does not fit into b is lost.
func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	d, err := c.in.take()
	if err != nil {
		return 0, nil, c.fail("read", err)
	}
	return copy(b, d.data), &d.from, nil
}

func (c *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.in.isClosed() {
		return 0, c.fail("write", net.ErrClosed)
	}
	from := c.addr.String()
	d := datagram{from: *c.addr, data: bytes.Clone(b)}
	c.net.mu.Lock()
	has, peer := c.net.udp[from] == c, c.net.udp[to.String()]
	c.net.mu.Unlock()
	if !has {
		return len(b), nil // another one has the floating address
	}
	var land func()
	if peer != nil {
		land = func() { peer.in.put(d) }
	}
	c.net.send(Packet{From: from, To: to.String(), Transport: "udp", Data: d.data}, nil, land)
	return len(b), nil
}

// Close frees the address for another endpoint.
func (c *packetConn) Close() error {
	c.net.mu.Lock()
	if key := c.addr.String(); c.net.udp[key] == c {
		delete(c.net.udp, key)
	}
	delete(c.net.floating[c.addr.String()], c)
	c.net.mu.Unlock()
	if _, err := c.in.close(); err != nil {
		return c.fail("close", err)
	}
	return nil
}

func (c *packetConn) shut() { _, _ = c.in.close() }

func (c *packetConn) LocalAddr() net.Addr { return c.addr }

func (c *packetConn) SetReadDeadline(t time.Time) error {
	if err := c.in.setDeadline(t); err != nil {
		return c.fail("set", err)
	}
	return nil
}

func (c *packetConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline has nothing to do: no write waits.
func (c *packetConn) SetWriteDeadline(time.Time) error { return nil }

func (c *packetConn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.addr, Err: err}
}

package sipua

import "net"

// gatedConn is a socket that receives nothing before gate is closed.
type gatedConn struct {
	net.PacketConn
	gate <-chan struct{}
}

// ReadFrom implements net.PacketConn.
func (c gatedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	<-c.gate
	return c.PacketConn.ReadFrom(b)
}

// gatedListener is a listener that accepts nothing before gate is closed.
type gatedListener struct {
	net.Listener
	gate <-chan struct{}
}

// Accept implements net.Listener.
func (l gatedListener) Accept() (net.Conn, error) {
	<-l.gate
	return l.Listener.Accept()
}

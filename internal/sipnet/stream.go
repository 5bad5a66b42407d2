package sipnet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Listener opens a TCP listener at addr. It cannot be dialled: its Accept returns the near
// ends of the streams that ConnectTCP makes. It panics on an address that is malformed or
// in use.
func (n *Network) Listener(addr string) net.Listener {
	l := &listener{
		net:  n,
		addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)),
		in:   newInbox[*stream](),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	key := l.addr.String()
	if n.listeners[key] != nil {
		panic(fmt.Sprintf("sipnet: tcp address %s is in use", key))
	}
	if n.closed {
		_, _ = l.in.close()
		return l
	}
	n.listeners[key] = l
	return l
}

// ConnectTCP makes one stream between the listeners at addrA and addrB and hands
// each its own end, so that a SIP stack serving the listeners pools the stream
// on both sides and never dials. It panics if there is no listener.
func (n *Network) ConnectTCP(addrA, addrB string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, b := n.listeners[addrA], n.listeners[addrB]
	if a == nil || b == nil {
		panic(fmt.Sprintf("sipnet: no tcp listeners to connect at %s and %s", addrA, addrB))
	}
	near, far := n.newStream(a.addr, b.addr)
	a.in.put(near)
	b.in.put(far)
}

// newStream makes both ends of a stream. n.mu is held.
func (n *Network) newStream(a, b *net.TCPAddr) (near, far *stream) {
	near = &stream{net: n, local: a, remote: b, in: newInbox[[]byte](), window: newInbox[struct{}](), turn: make(chan struct{}, 1)}
	far = &stream{net: n, local: b, remote: a, in: newInbox[[]byte](), window: newInbox[struct{}](), turn: make(chan struct{}, 1)}
	near.peer, far.peer = far, near
	for _, s := range []*stream{near, far} {
		n.streams[s] = struct{}{}
		n.open(s)
	}
	return near, far
}

// Stall makes the process at addr hang. The windows of its streams are zero: a write to it
// waits for Resume, its deadline or the end of the stream. It answers no handshakes: a
// dial waits for Resume.
func (n *Network) Stall(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stalled[addr] == nil {
		n.stalled[addr] = make(chan struct{})
	}
	for s := range n.streams {
		if s.remote.String() == addr {
			s.window.takeIfAny()
		}
	}
}

// Resume undoes Stall: waiting writes and dials go on.
func (n *Network) Resume(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if over := n.stalled[addr]; over != nil {
		close(over)
		delete(n.stalled, addr)
	}
	for s := range n.streams {
		if s.remote.String() == addr {
			n.open(s)
		}
	}
}

// Dial returns the result of a dial to addr. It is refused, because only ConnectTCP makes
// streams; if the process at addr has stalled, not before Resume or Close. It is for the
// Control of a net.Dialer, which then neither observes a context nor connects.
func (n *Network) Dial(addr string) error {
	n.mu.Lock()
	over := n.stalled[addr]
	n.mu.Unlock()
	if over != nil {
		<-over
	}
	return syscall.ECONNREFUSED
}

// open lets the next write to s pass, unless its far end has stalled. n.mu is held.
func (n *Network) open(s *stream) {
	if n.stalled[s.remote.String()] == nil {
		s.window.takeIfAny()
		s.window.put(struct{}{})
	}
}

type listener struct {
	net  *Network
	addr *net.TCPAddr
	in   *inbox[*stream]
}

func (l *listener) Accept() (net.Conn, error) {
	s, err := l.in.take()
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Source: l.addr, Err: err}
	}
	return s, nil
}

// Close frees the address. Streams accepted before live on, others are closed.
func (l *listener) Close() error {
	l.net.mu.Lock()
	if key := l.addr.String(); l.net.listeners[key] == l {
		delete(l.net.listeners, key)
	}
	l.net.mu.Unlock()
	left, err := l.in.close()
	for _, s := range left {
		_ = s.Close()
	}
	if err != nil {
		return &net.OpError{Op: "close", Net: "tcp", Source: l.addr, Err: err}
	}
	return nil
}

func (l *listener) shut() { _, _ = l.in.close() }

func (l *listener) Addr() net.Addr { return l.addr }

// stream is one end of a TCP stream. in holds what the other end wrote; window has
// an item while the next write may pass.
type stream struct {
	net           *Network
	local, remote *net.TCPAddr
	peer          *stream
	in            *inbox[[]byte]
	window        *inbox[struct{}]
	turn          chan struct{} // held by the writer; the others wait in order
}

func (s *stream) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	data, err := s.in.take()
	if err == io.EOF {
		return 0, io.EOF
	}
	if err != nil {
		return 0, s.fail("read", err)
	}
	n := copy(b, data)
	if n < len(data) {
		s.in.putBack(data[n:])
	}
	return n, nil
}

func (s *stream) Write(b []byte) (int, error) {
	if s.in.isClosed() {
		return 0, s.fail("write", net.ErrClosed)
	}
	if len(b) == 0 {
		return 0, nil
	}
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if _, err := s.window.take(); err != nil {
		return 0, s.fail("write", err)
	}
	defer func() {
		s.net.mu.Lock()
		defer s.net.mu.Unlock()
		s.net.open(s)
	}()
	data := bytes.Clone(b)
	var land func()
	if !s.peer.in.isClosed() {
		land = func() { s.peer.in.put(data) }
	}
	s.net.send(Packet{From: s.local.String(), To: s.remote.String(), Transport: "tcp", Data: data}, s, land)
	return len(b), nil
}

// Close lets the other end read what was written before, and then io.EOF. The other end of
// a silent stream gets neither.
func (s *stream) Close() error {
	if _, err := s.in.close(); err != nil {
		return s.fail("close", err)
	}
	_, _ = s.window.close()
	from, to := s.local.String(), s.remote.String()
	s.net.mu.Lock()
	delete(s.net.streams, s)
	swallowed := s.net.silent[from] || s.net.silent[to]
	s.net.mu.Unlock()
	if !swallowed {
		s.net.launch(to, s, 0, func() { s.peer.in.putEnd(io.EOF) })
	}
	return nil
}

func (s *stream) shut() {
	_, _ = s.in.close()
	_, _ = s.window.close()
}

func (s *stream) LocalAddr() net.Addr  { return s.local }
func (s *stream) RemoteAddr() net.Addr { return s.remote }

func (s *stream) SetReadDeadline(t time.Time) error {
	if err := s.in.setDeadline(t); err != nil {
		return s.fail("set", err)
	}
	return nil
}

// SetWriteDeadline matters only for a stalled stream: other writes do not wait.
func (s *stream) SetWriteDeadline(t time.Time) error {
	if err := s.window.setDeadline(t); err != nil {
		return s.fail("set", err)
	}
	return nil
}

func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

func (s *stream) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: s.local, Addr: s.remote, Err: err}
}

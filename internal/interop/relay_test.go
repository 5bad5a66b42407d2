//go:build interop

package interop

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/internal/interop/selfsigned"
)

// relay stands between the program under test and its peer and records what
// passes. Each of the two takes the relay for the other one: it puts its own
// addresses in the place of theirs wherever they stand in a message, so that
// Contacts lead back to it. The numbers have as many digits as those they
// replace.
//
//	subject <---> near | relay | far <---> peer
type relay struct {
	wire          *wire
	subject, peer string // who they are
	near, far     string // whom they see: near is the peer's stand-in, far the subject's
	toSubject     *strings.Replacer
	toPeer        *strings.Replacer
}

// newRelay starts a relay between two addresses for udp, tcp or tls.
func newRelay(t *testing.T, w *wire, transport, subject, peer string) *relay {
	t.Helper()
	r := &relay{wire: w, subject: subject, peer: peer}
	host, _, _ := net.SplitHostPort(subject)
	switch transport {
	case "tcp":
		r.serveStream(t, host, nil)
	case "tls":
		config, err := selfsigned.Config()
		if err != nil {
			t.Fatal(err)
		}
		r.serveStream(t, host, config)
	default:
		r.serveUDP(t, host)
	}
	return r
}

// between takes the addresses of the relay's own sockets.
func (r *relay) between(near, far net.Addr) {
	r.near, r.far = near.String(), far.String()
	r.toSubject = replacer(r.peer, r.near, r.far, r.subject)
	r.toPeer = replacer(r.subject, r.far, r.near, r.peer)
}

// pairs returns the replacers for a connection that who opened from its address here, and
// that the relay continues from out: a Contact that names the connection, as from clients
// without a listener, still does.
func (r *relay) pairs(who party, here, out string) (forth, back *strings.Replacer) {
	if who == thePeer {
		return replacer(r.peer, r.near, r.far, r.subject, here, out), replacer(r.subject, r.far, r.near, r.peer, out, here)
	}
	return replacer(r.subject, r.far, r.near, r.peer, here, out), replacer(r.peer, r.near, r.far, r.subject, out, here)
}

// replacer replaces addresses, and their ports where a Via repeats them.
func replacer(pairs ...string) *strings.Replacer {
	var all []string
	for i := 0; i < len(pairs); i += 2 {
		_, from, _ := net.SplitHostPort(pairs[i])
		_, to, _ := net.SplitHostPort(pairs[i+1])
		all = append(all, pairs[i], pairs[i+1], "rport="+from, "rport="+to)
	}
	return strings.NewReplacer(all...)
}

func (r *relay) serveUDP(t *testing.T, host string) {
	t.Helper()
	var sockets [2]net.PacketConn
	for i := range sockets {
		c, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		sockets[i] = c
	}
	near, far := sockets[0], sockets[1]
	r.between(near.LocalAddr(), far.LocalAddr())
	go r.carry(near, far, theSubject, r.peer, r.toPeer)
	go r.carry(far, near, thePeer, r.subject, r.toSubject)
}

// carry moves datagrams from one socket to the next party.
func (r *relay) carry(from, to net.PacketConn, who party, next string, rewrite *strings.Replacer) {
	dest, err := net.ResolveUDPAddr("udp", next)
	if err != nil {
		return
	}
	buf := make([]byte, 65536)
	for {
		n, _, err := from.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // a process that is gone is reported to whoever writes to it
		}
		r.wire.add("udp", who, buf[:n])
		_, _ = to.WriteTo([]byte(rewrite.Replace(string(buf[:n]))), dest)
	}
}

// serveStream carries connections, with TLS if there is a configuration for it.
func (r *relay) serveStream(t *testing.T, host string, config *tls.Config) {
	t.Helper()
	var listeners [2]net.Listener
	for i := range listeners {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		if config != nil {
			l = tls.NewListener(l, config)
		}
		listeners[i] = l
	}
	r.between(listeners[0].Addr(), listeners[1].Addr())
	dial := func(addr string) (net.Conn, error) {
		if config != nil {
			return tls.Dial("tcp", addr, config)
		}
		return net.Dial("tcp", addr)
	}
	go r.accept(listeners[0], theSubject, func() (net.Conn, error) { return dial(r.peer) })
	go r.accept(listeners[1], thePeer, func() (net.Conn, error) { return dial(r.subject) })
}

// accept connects each connection to the next party.
func (r *relay) accept(l net.Listener, who party, dial func() (net.Conn, error)) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := dial()
		if err != nil {
			_ = in.Close()
			continue
		}
		forth, back := r.pairs(who, in.RemoteAddr().String(), out.LocalAddr().String())
		go r.stream(in, out, who, forth)
		go r.stream(out, in, who.other(), back)
	}
}

// stream moves whole messages from one connection to the other.
func (r *relay) stream(from, to net.Conn, who party, rewrite *strings.Replacer) {
	defer func() { _, _ = from.Close(), to.Close() }()
	var pending []byte
	buf := make([]byte, 65536)
	for {
		n, err := from.Read(buf)
		pending = append(pending, buf[:n]...)
		for {
			msg, rest := cutMessage(pending)
			if msg == nil {
				break
			}
			pending = rest
			r.wire.add("tcp", who, msg)
			if _, err := io.WriteString(to, rewrite.Replace(string(msg))); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// cutMessage splits the first message off a stream; it is nil if there is no
// whole one. A keep-alive counts as a message.
func cutMessage(b []byte) (msg, rest []byte) {
	if len(b) >= 2 && b[0] == '\r' && b[1] == '\n' {
		return b[:2], b[2:]
	}
	head := strings.Index(string(b), "\r\n\r\n")
	if head < 0 {
		return nil, b
	}
	size := head + 4
	for line := range strings.SplitSeq(string(b[:head]), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "l") {
			size += atoi(strings.TrimSpace(value))
		}
	}
	if len(b) < size {
		return nil, b
	}
	return b[:size], b[size:]
}

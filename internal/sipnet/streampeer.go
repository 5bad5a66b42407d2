package sipnet

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// StreamPeer opens a peer at addr that is connected to the listener at to by one
// stream. over is the transport in its Via, TCP or TLS; neither is encrypted.
func (n *Network) StreamPeer(addr, to, over string) *Peer {
	l := n.Listener(addr)
	n.ConnectTCP(addr, to)
	conn, err := l.Accept()
	if err != nil {
		panic(fmt.Sprintf("sipnet: no stream from %s to %s: %v", addr, to, err))
	}
	return n.peer(addr, over, &framed{Conn: conn, l: l, r: bufio.NewReader(conn)})
}

// framed reads and writes a stream message by message.
type framed struct {
	net.Conn
	l net.Listener
	r *bufio.Reader
}

// ReadFrom reads one message (RFC 3261 §18.3).
func (f *framed) ReadFrom(b []byte) (int, net.Addr, error) {
	var head strings.Builder
	length := 0
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		line, err := f.r.ReadString('\n')
		if err != nil {
			return 0, nil, err
		}
		if head.Len() == 0 && strings.TrimSpace(line) == "" {
			continue // a keep-alive
		}
		head.WriteString(line)
		if headerName(line) == "content-length" {
			_, value, _ := strings.Cut(line, ":")
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return 0, nil, err
			}
		}
	}
	n := copy(b, head.String())
	body, err := io.ReadFull(f.r, b[n:min(n+length, len(b))])
	return n + body, f.RemoteAddr(), err
}

// WriteTo writes to the stream, wherever it leads.
func (f *framed) WriteTo(b []byte, _ net.Addr) (int, error) { return f.Write(b) }

// SetReadDeadline applies to the next ReadFrom.
func (f *framed) SetReadDeadline(t time.Time) error { return f.Conn.SetReadDeadline(t) }

// Close closes the stream and its listener.
func (f *framed) Close() error {
	_ = f.l.Close()
	return f.Conn.Close()
}

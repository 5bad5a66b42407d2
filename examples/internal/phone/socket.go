// Package phone is shared by the example user agents uas and uac: their socket, their own
// address, and simple answers.
package phone

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// Socket is where a program listens.
type Socket struct {
	Transport string // "udp" or "tcp"
	Addr      string // HOST:PORT as bound

	packet   net.PacketConn
	listener net.Listener
	host     string // empty on a wildcard address
	port     int
}

// Open listens on addr.
func Open(transport, addr string) (*Socket, error) {
	s := &Socket{Transport: transport}
	if err := s.listen(addr); err != nil {
		return nil, fmt.Errorf("cannot listen on %s %s: %s", transport, addr, Why(err))
	}
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
		s.host = host
	}
	s.port, err = strconv.Atoi(port)
	return s, err
}

func (s *Socket) listen(addr string) (err error) {
	if s.Transport == "tcp" {
		if s.listener, err = net.Listen("tcp", addr); err == nil {
			s.Addr = s.listener.Addr().String()
		}
		return err
	}
	if s.packet, err = net.ListenPacket("udp", addr); err == nil {
		s.Addr = s.packet.LocalAddr().String()
	}
	return err
}

// Close stops listening.
func (s *Socket) Close() {
	if s.packet != nil {
		_ = s.packet.Close()
	}
	if s.listener != nil {
		_ = s.listener.Close()
	}
}

// Host returns the address at which peer, a HOST:PORT, reaches us. It depends on the peer
// if we listen on a wildcard address.
func (s *Socket) Host(peer string) string {
	if s.host != "" {
		return s.host
	}
	conn, err := net.Dial("udp", peer) // sends nothing, only looks up the route
	if err != nil {
		return "127.0.0.1"
	}
	defer func() { _ = conn.Close() }()
	host, _, _ := net.SplitHostPort(conn.LocalAddr().String())
	return host
}

// Anywhere stands for a peer that is not known yet.
const Anywhere = "192.0.2.1:5060"

// URI returns the address to call us at: user at Host(peer).
func (s *Socket) URI(user, peer string) sip.Uri {
	uri := sip.Uri{Scheme: "sip", User: user, Host: bracketed(s.Host(peer)), Port: s.port}
	if s.Transport == "tcp" {
		uri.UriParams = sip.HeaderParams{{K: "transport", V: "tcp"}}
	}
	return uri
}

// bracketed returns an address as written in a URI.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// ClientOptions returns the options for a client that sends from the socket, mainly to
// peer.
func (s *Socket) ClientOptions(peer string) []sipgo.ClientOption {
	opts := []sipgo.ClientOption{
		sipgo.WithClientHostname(s.Host(peer)),
		sipgo.WithClientPort(s.port),
		sipgo.WithClientNAT(), // rport: answer to the source address
	}
	if s.Transport == "udp" {
		opts = append(opts, sipgo.WithClientConnectionAddr(s.Addr))
	}
	return opts
}

// Serve reads from the socket in the background. It returns when sipgo knows the socket: a
// request before that would open another one.
func (s *Socket) Serve(srv *sipgo.Server) error {
	if s.Transport == "tcp" {
		go func() { _ = srv.ServeTCP(s.listener) }()
		return nil
	}
	go func() { _ = srv.ServeUDP(s.packet) }()
	for range 500 {
		if conn, err := srv.TransportLayer().GetConnection("udp", s.Addr); err == nil {
			_, err = conn.TryClose()
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
	return errors.New("the socket is not served")
}

// Why returns an error in a few words, on one line.
func Why(err error) string {
	var dns *net.DNSError
	var addr *net.AddrError
	var errno syscall.Errno
	switch {
	case errors.As(err, &dns):
		return dns.Err
	case errors.As(err, &addr):
		return addr.Err
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, sip.ErrTransactionTimeout), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer"
	}
	return strings.ReplaceAll(err.Error(), "\n", ": ")
}

package sipnet

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// T is the part of testing.TB that the peer needs.
type T interface {
	Reporter
	Fatalf(format string, args ...any)
}

// Peer is a SIP endpoint over UDP, or one stream, without any SIP stack: it sends what the
// test says and returns what arrives. It never answers or retransmits by itself. It
// follows one dialog, the last one that Invite began or Reply accepted. A Peer is for one
// goroutine.
type Peer struct {
	// Dress, if not nil, rewrites each message before it is sent, for unusual names
	// and spaces.
	Dress func(raw string) string
	// Outbound, if not empty, is the address that all requests go to, without a Route:
	// the peer also plays its proxies.
	Outbound string
	// Number is one less than the CSeq number of the first INVITE.
	Number uint32

	net  *Network
	conn net.PacketConn
	addr string
	over string // transport in Via
	tag  string
	seen map[string]bool
	dlg  *dialog
}

// Peer opens a peer at addr. It is closed with the network.
func (n *Network) Peer(addr string) *Peer { return n.peer(addr, "UDP", n.PacketConn(addr)) }

func (n *Network) peer(addr, over string, conn net.PacketConn) *Peer {
	return &Peer{
		net:  n,
		conn: conn,
		addr: addr,
		over: over,
		tag:  "tag-" + strings.NewReplacer(":", "-", "[", "", "]", "").Replace(addr),
		seen: make(map[string]bool),
	}
}

// Addr returns the peer's host:port.
func (p *Peer) Addr() string { return p.addr }

// Tag returns the tag the peer puts into From or To, always the same.
func (p *Peer) Tag() string { return p.tag }

// Close frees the peer's address.
func (p *Peer) Close() { _ = p.conn.Close() }

// Send sends raw to the address, with every line end made CRLF and the literal
// "Content-Length: *" made the length of the body. Only Dress changes anything else.
func (p *Peer) Send(to string, raw string) {
	addr, err := netip.ParseAddrPort(to)
	if err != nil {
		panic(fmt.Sprintf("sipnet: peer sends to %q: %v", to, err))
	}
	raw = normalise(raw)
	if p.Dress != nil {
		raw = p.Dress(raw)
	}
	// A closed peer sends nothing; there is no other error.
	_, _ = p.conn.WriteTo([]byte(raw), net.UDPAddrFromAddrPort(addr))
}

// Recv returns the next message that is not a retransmission of one received
// before: a request with the same branch and method, or a response with the same
// branch, method, status and To tag (and RSeq). It returns false if none came
// before the timeout, or if the peer is closed.
func (p *Peer) Recv(timeout time.Duration) (sip.Message, bool) {
	deadline := time.Now().Add(timeout)
	for {
		msg, ok := p.RecvAny(time.Until(deadline))
		if !ok {
			return nil, false
		}
		key := identity(msg)
		if key != "" && p.seen[key] {
			continue
		}
		p.seen[key] = true
		p.learn(msg)
		return msg, true
	}
}

// RecvAny returns the next message, including retransmissions. Packets that are no SIP
// messages are skipped.
func (p *Peer) RecvAny(timeout time.Duration) (sip.Message, bool) {
	if err := p.conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return nil, false
	}
	buf := make([]byte, 65535)
	for {
		n, from, err := p.conn.ReadFrom(buf)
		if err != nil {
			return nil, false
		}
		msg, err := sip.ParseMessage(buf[:n])
		if err != nil {
			continue
		}
		msg.SetTransport(p.over)
		msg.SetSource(from.String())
		return msg, true
	}
}

// identity is equal for a message and its retransmissions. It is empty for a
// message that lacks what is compared.
func identity(msg sip.Message) string {
	if msg.Via() == nil {
		return ""
	}
	branch, _ := msg.Via().Params.Get("branch")
	switch m := msg.(type) {
	case *sip.Request:
		return "> " + branch + " " + m.Method.String()
	case *sip.Response:
		if m.CSeq() == nil || m.To() == nil {
			return ""
		}
		tag, _ := m.To().Params.Get("tag")
		return fmt.Sprintf("< %s %s %d %s %v", branch, m.CSeq().MethodName, m.StatusCode, tag, headerValues(m, "RSeq"))
	}
	return ""
}

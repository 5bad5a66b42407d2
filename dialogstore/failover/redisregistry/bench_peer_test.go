//go:build unix

package redisregistry_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// peer is the other end of all calls. It is text alone, so that what is measured is the
// node: it accepts every request, and makes calls.
type peer struct {
	b    testing.TB
	conn net.PacketConn

	mu      sync.Mutex
	waiting map[string]chan string // final responses, by Call-ID
}

func newPeer(b testing.TB, n *sipnet.Network) *peer {
	p := &peer{b: b, conn: n.PacketConn(peerAddr), waiting: make(map[string]chan string)}
	go p.serve()
	return p
}

// serve ends with the network.
func (p *peer) serve() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := p.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		text := string(buf[:n])
		switch {
		case strings.HasPrefix(text, "SIP/2.0 1"), strings.HasPrefix(text, "ACK "):
		case strings.HasPrefix(text, "SIP/2.0 "):
			p.answered(text)
		default:
			_, _ = p.conn.WriteTo([]byte(accept(text)), from)
		}
	}
}

// accept returns a 200 to a request.
func accept(req string) string {
	res := "SIP/2.0 200 OK\r\n"
	for line := range strings.Lines(req) {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "Via", "From", "To", "Call-ID", "CSeq", "Session-Expires":
			res += line
		}
	}
	return res + "Contact: <sip:peer@" + peerAddr + ">\r\nAllow: " + allow + "\r\nRequire: timer\r\nContent-Length: 0\r\n\r\n"
}

const allow = "INVITE, ACK, BYE, CANCEL, UPDATE"

func field(text, name string) string {
	_, rest, _ := strings.Cut(text, "\r\n"+name+": ")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

func (p *peer) answered(res string) {
	id := field(res, "Call-ID")
	p.mu.Lock()
	answer := p.waiting[id]
	delete(p.waiting, id)
	p.mu.Unlock()
	if answer != nil {
		answer <- res
	}
}

// ask sends a request, and returns the final response.
func (p *peer) ask(callID, req string) string {
	answer := make(chan string, 1)
	p.mu.Lock()
	p.waiting[callID] = answer
	p.mu.Unlock()
	p.send(req)
	res := <-answer
	if !strings.HasPrefix(res, "SIP/2.0 200") {
		p.b.Errorf("%s\nanswered\n%s", req, res)
	}
	return res
}

func (p *peer) send(text string) {
	to, _ := net.ResolveUDPAddr("udp", nodeAddr)
	_, _ = p.conn.WriteTo([]byte(text), to)
}

// request returns one of the peer's.
func request(method, callID, toTag string, cseq int, headers, body string) string {
	return fmt.Sprintf("%[1]s sip:node@%[2]s SIP/2.0\r\nVia: SIP/2.0/UDP %[3]s;branch=z9hG4bK%[4]s-%[6]d%[1]s\r\nMax-Forwards: 70\r\n"+
		"From: <sip:peer@%[3]s>;tag=peer\r\nTo: <sip:node@%[2]s>%[5]s\r\nCall-ID: %[4]s\r\nCSeq: %[6]d %[1]s\r\nContact: <sip:peer@%[3]s>\r\n"+
		"%[7]sContent-Length: %[8]d\r\n\r\n%[9]s", method, nodeAddr, peerAddr, callID, toTag, cseq, headers, len(body), body)
}

// begin makes a call whose interval has so many seconds, and which the node refreshes. It
// returns what ends it.
func (p *peer) begin(callID string, seconds int) (end func()) {
	res := p.ask(callID, request("INVITE", callID, "", 1, fmt.Sprintf("Allow: %s\r\nSupported: timer\r\nSession-Expires: %d;refresher=uas\r\n"+
		"Content-Type: application/sdp\r\n", allow, seconds), sipnet.SDP))
	_, tag, _ := strings.Cut(field(res, "To"), ";")
	p.send(request("ACK", callID, ";"+tag, 1, "", ""))
	return func() { p.ask(callID, request("BYE", callID, ";"+tag, 2, "", "")) }
}

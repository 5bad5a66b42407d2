package apps

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long a peer waits for a message: as long as it takes on a machine
// that is busy.
const patience = time.Minute

// sdp is the session description of a peer; nobody listens there.
const sdp = "v=0\r\no=peer 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"

// message is a SIP message as it stood on the wire.
type message struct {
	raw     string
	start   string
	headers []string // lines
	body    string
}

func parse(raw string) message {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	return message{raw: raw, start: lines[0], headers: lines[1:], body: body}
}

// all are the values of a header field.
func (m message) all(name string) (values []string) {
	for _, line := range m.headers {
		if n, value, _ := strings.Cut(line, ":"); strings.EqualFold(strings.TrimSpace(n), name) {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}

// get is the first of them.
func (m message) get(name string) string {
	return strings.Join(m.all(name)[:min(1, len(m.all(name)))], "")
}

// label is "UPDATE" or "200 INVITE".
func (m message) label() string {
	if rest, isResponse := strings.CutPrefix(m.start, "SIP/2.0 "); isResponse {
		_, method, _ := strings.Cut(m.get("CSeq"), " ")
		return rest[:3] + " " + method
	}
	method, _, _ := strings.Cut(m.start, " ")
	return method
}

// uri is what a Contact holds between its angle brackets.
func (m message) uri() string {
	_, uri, _ := strings.Cut(m.get("Contact"), "<")
	uri, _, _ = strings.Cut(uri, ">")
	return uri
}

// peer is a user agent without a SIP stack: it sends what the test says, over UDP or
// one TCP connection, and never sends again. It knows one call.
type peer struct {
	t        *testing.T
	name     string
	udp      net.PacketConn
	tcp      net.Conn
	reader   *bufio.Reader
	far      net.Addr // of datagrams
	seen     []string // messages, so that those sent again are passed over
	callID   string
	from, to string // as it says them
	target   string // URI of the other end
	cseq     int
	branch   int
}

// newPeer opens a peer on loopback.
func newPeer(t *testing.T, name string) *peer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &peer{t: t, name: name, udp: conn}
}

// dial has the peer talk over a connection to addr from now on.
func (p *peer) dial(addr string) {
	p.t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	p.tcp, p.reader = conn, bufio.NewReader(conn)
}

func (p *peer) addr() string {
	if p.tcp != nil {
		return p.tcp.LocalAddr().String()
	}
	return p.udp.LocalAddr().String()
}

func (p *peer) transport() string {
	if p.tcp != nil {
		return "TCP"
	}
	return "UDP"
}

// send writes lines and a body as one message.
func (p *peer) send(start string, lines []string, body string) message {
	p.t.Helper()
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	lines = append(lines, "Content-Length: "+strconv.Itoa(len(body)))
	raw := start + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" + body
	var err error
	if p.tcp != nil {
		_, err = io.WriteString(p.tcp, raw)
	} else {
		_, err = p.udp.WriteTo([]byte(raw), p.far)
	}
	if err != nil {
		p.t.Fatalf("%s cannot send %s: %v", p.name, start, err)
	}
	return parse(raw)
}

// invite calls addr.
func (p *peer) invite(addr string, lines ...string) message {
	p.t.Helper()
	far, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.far, p.target = far, "sip:app@"+addr
	p.callID = fmt.Sprintf("call-of-%s-%d", p.name, p.branch)
	p.from, p.to = fmt.Sprintf("<sip:%s@%s>;tag=%[1]s", p.name, p.addr()), "<"+p.target+">"
	return p.request("INVITE", sdp, lines...)
}

// request sends the next request of the call.
func (p *peer) request(method, body string, lines ...string) message {
	p.t.Helper()
	p.cseq++
	return p.sendRequest(method, p.cseq, body, lines...)
}

func (p *peer) sendRequest(method string, cseq int, body string, lines ...string) message {
	p.t.Helper()
	p.branch++
	return p.send(method+" "+p.target+" SIP/2.0", append([]string{
		fmt.Sprintf("Via: SIP/2.0/%s %s;branch=z9hG4bK-%s-%d", p.transport(), p.addr(), p.name, p.branch),
		"Max-Forwards: 70", "From: " + p.from, "To: " + p.to, "Call-ID: " + p.callID,
		fmt.Sprintf("CSeq: %d %s", cseq, method), fmt.Sprintf("Contact: <sip:%s@%s>", p.name, p.addr()),
	}, lines...), body)
}

// ack acknowledges a 2xx, which makes the dialog.
func (p *peer) ack(res message) {
	p.t.Helper()
	p.to, p.target = res.get("To"), res.uri()
	var cseq int
	_, _ = fmt.Sscan(res.get("CSeq"), &cseq)
	p.sendRequest("ACK", cseq, "")
}

// reply answers a request of the other end; a 2xx to its INVITE makes the dialog.
func (p *peer) reply(req message, status, body string, lines ...string) {
	p.t.Helper()
	to := req.get("To")
	if !strings.Contains(to, ";tag=") {
		to += ";tag=" + p.name
	}
	if strings.HasPrefix(req.start, "INVITE ") {
		p.callID, p.from, p.to = req.get("Call-ID"), to, req.get("From")
		if uri := req.uri(); uri != "" {
			p.target = uri
		}
	}
	var head []string
	for _, line := range req.headers {
		if name, _, _ := strings.Cut(line, ":"); slices.Contains([]string{"Via", "From", "Call-ID", "CSeq", "Record-Route"}, name) {
			head = append(head, line)
		}
	}
	head = append(head, "To: "+to, fmt.Sprintf("Contact: <sip:%s@%s>", p.name, p.addr()))
	p.send("SIP/2.0 "+status, append(head, lines...), body)
}

// expect returns the next message that is not one sent again. It must have the label.
func (p *peer) expect(label string) message {
	p.t.Helper()
	for {
		m, err := p.receive(time.Now().Add(patience))
		switch {
		case err != nil:
			p.t.Fatalf("%s waits for %s: %v", p.name, label, err)
		case slices.Contains(p.seen, m.raw), m.label() == "100 INVITE":
			continue
		case m.label() != label:
			p.t.Fatalf("%s got, want %s:\n%s", p.name, label, m.raw)
		}
		p.seen = append(p.seen, m.raw)
		return m
	}
}

// quiet checks that nothing new arrives for a while.
func (p *peer) quiet(d time.Duration) {
	p.t.Helper()
	for until := time.Now().Add(d); ; {
		m, err := p.receive(until)
		if err != nil {
			return
		}
		if !slices.Contains(p.seen, m.raw) {
			p.t.Errorf("%s got, want nothing:\n%s", p.name, m.raw)
		}
	}
}

func (p *peer) receive(until time.Time) (message, error) {
	if p.tcp != nil {
		return p.receiveStream(until)
	}
	buf := make([]byte, 1<<16)
	_ = p.udp.SetReadDeadline(until)
	n, from, err := p.udp.ReadFrom(buf)
	if err == nil {
		p.far = from
	}
	return parse(string(buf[:n])), err
}

func (p *peer) receiveStream(until time.Time) (message, error) {
	_ = p.tcp.SetReadDeadline(until)
	var head strings.Builder
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		line, err := p.reader.ReadString('\n')
		if err != nil {
			return message{}, err
		}
		if head.WriteString(line); head.String() == "\r\n" {
			head.Reset() // a keep-alive
		}
	}
	length, _ := strconv.Atoi(parse(head.String()).get("Content-Length"))
	body := make([]byte, length)
	_, err := io.ReadFull(p.reader, body)
	return parse(head.String() + string(body)), err
}

package middleware_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// strangerAddr is an address that a peer may claim without being there.
const strangerAddr = "10.0.0.66:5060"

// attacker is a peer without a stack: it knows enough of one call to send fitting messages,
// and sends them as changed by the script.
type attacker struct {
	net      *sipnet.Network
	conn     net.PacketConn
	stranger net.PacketConn
	to       net.Addr

	serial       int
	callID       string
	tag, theirs  string // tags of the call; theirs is empty before a message has it
	cseq         uint32
	inviteBranch string
	inviteCSeq   uint32
	refusedUs    bool            // our last INVITE
	last         draft           // sent
	heard        []*sip.Request  // to be answered
	refused      map[string]bool // by Via
	in           int             // packets sent to the subject
}

func newAttacker(n *sipnet.Network) *attacker {
	a := &attacker{
		net: n, conn: n.PacketConn(peerAddr), stranger: n.PacketConn(strangerAddr),
		to:      net.UDPAddrFromAddrPort(netip.MustParseAddrPort(bobAddr)),
		refused: make(map[string]bool),
	}
	a.restart()
	// sipgo opens a real socket for an address that has not sent anything yet.
	for _, c := range []net.PacketConn{a.conn, a.stranger} {
		_, _ = c.WriteTo([]byte("\r\n"), a.to)
	}
	synctest.Wait()
	return a
}

// restart begins another call.
func (a *attacker) restart() {
	a.serial++
	a.callID, a.tag, a.theirs, a.cseq = fmt.Sprintf("call-%d", a.serial), fmt.Sprintf("peer-%d", a.serial), "", 1
}

// draft is a message before it is sent: lines that faults change.
type draft struct {
	start    string
	lines    [][2]string
	body     string
	twice    bool
	stranger bool // sent from there
}

func (d *draft) get(name string) string {
	for _, l := range d.lines {
		if l[0] == name {
			return l[1]
		}
	}
	return ""
}

// set makes value the only one of the name; an empty value removes it.
func (d *draft) set(name, value string) {
	d.lines = slices.DeleteFunc(d.lines, func(l [2]string) bool { return l[0] == name })
	if value != "" {
		d.add(name, value)
	}
}

func (d *draft) add(name, value string) { d.lines = append(d.lines, [2]string{name, value}) }

// refuses reports whether it is a final response other than a 2xx.
func (d *draft) refuses() bool { return strings.HasPrefix(d.start, "SIP/2.0 ") && d.start[8] >= '3' }

func (d *draft) bytes() []byte {
	var b strings.Builder
	b.WriteString(d.start + "\r\n")
	for _, l := range d.lines {
		b.WriteString(l[0] + ": " + l[1] + "\r\n")
	}
	if d.body != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(d.body), d.body)
	return []byte(b.String())
}

// request drafts a correct request. An ACK or CANCEL has the number of its INVITE, and a
// CANCEL also its branch.
func (a *attacker) request(method sip.RequestMethod, inDialog bool) *draft {
	a.serial++
	branch, number := fmt.Sprintf("z9hG4bK-%d", a.serial), a.inviteCSeq
	switch method {
	case sip.ACK:
	case sip.CANCEL:
		branch = a.inviteBranch
	default:
		a.cseq++
		number = a.cseq
	}
	if method == sip.INVITE {
		a.inviteBranch, a.inviteCSeq = branch, number
	}
	d := &draft{start: fmt.Sprintf("%s sip:bob@%s SIP/2.0", method, bobAddr)}
	to := "<sip:bob@10.0.0.2>"
	if inDialog && a.theirs != "" {
		to += ";tag=" + a.theirs
	}
	d.add("Via", "SIP/2.0/UDP "+peerAddr+";branch="+branch)
	d.add("Max-Forwards", "70")
	d.add("From", "<sip:peer@10.0.0.9>;tag="+a.tag)
	d.add("To", to)
	d.add("Call-ID", a.callID)
	d.add("CSeq", fmt.Sprintf("%d %s", number, method))
	if method == sip.INVITE || method == sip.UPDATE {
		d.add("Contact", "<sip:peer@"+peerAddr+">")
		d.add("Supported", "timer")
		d.add("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE")
		d.add("Session-Expires", "90;refresher=uas")
	}
	if method == sip.INVITE {
		d.body = sipnet.SDP
	}
	if method == sip.PRACK {
		d.add("RAck", fmt.Sprintf("1 %d INVITE", a.inviteCSeq))
	}
	return d
}

// response drafts an answer to a request of the subject.
func (a *attacker) response(req *sip.Request, code int) *draft {
	d := &draft{start: fmt.Sprintf("SIP/2.0 %d Whatever", code)}
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		for _, h := range req.GetHeaders(name) {
			value := h.Value()
			if name == "To" && code > 100 && !req.To().Params.Has("tag") {
				value += ";tag=" + a.tag
			}
			d.add(name, value)
		}
	}
	if code > 100 && code < 300 {
		d.add("Contact", "<sip:peer@"+peerAddr+">")
		d.add("Supported", "timer")
		d.add("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE")
		if req.Method == sip.INVITE {
			d.body = sipnet.SDP
		}
		if code >= 200 && (req.Method == sip.INVITE || req.Method == sip.UPDATE) {
			d.add("Session-Expires", "90;refresher=uac")
		}
	}
	switch code {
	case 401:
		d.add("WWW-Authenticate", `Digest realm="lab", nonce="n1", algorithm=MD5`)
	case 420:
		d.add("Unsupported", "timer")
	case 422:
		d.add("Min-SE", "3600")
	}
	return d
}

func (a *attacker) send(d *draft) {
	if d.refuses() {
		// sipgo answers a second one after a pause in which it holds a lock, which
		// stops the time of a bubble.
		if a.refused[d.get("Via")] {
			return
		}
		a.refused[d.get("Via")], d.twice = true, false
	}
	from := a.conn
	if d.stranger {
		from = a.stranger
	}
	raw := d.bytes()
	for range 1 + map[bool]int{true: 1}[d.twice] {
		a.in++
		_, _ = from.WriteTo(raw, a.to)
	}
	a.last = *d
	a.last.lines = slices.Clone(d.lines)
	a.last.twice = false
}

// listen reads what has arrived at either address.
func (a *attacker) listen() {
	synctest.Wait()
	for _, conn := range []net.PacketConn{a.conn, a.stranger} {
		buf := make([]byte, 65535)
		for {
			// With a deadline in the past nothing would be read.
			_ = conn.SetReadDeadline(time.Now().Add(time.Nanosecond))
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				break
			}
			if msg, err := sip.ParseMessage(buf[:n]); err == nil {
				a.learn(msg)
			}
		}
	}
}

func (a *attacker) learn(msg sip.Message) {
	if msg.CallID() == nil || msg.From() == nil || msg.To() == nil || msg.Via() == nil {
		return // an answer to what was too broken
	}
	switch m := msg.(type) {
	case *sip.Request:
		known := func(r *sip.Request) bool {
			return r.Method == m.Method && r.Via().Params.GetOr("branch", "") == m.Via().Params.GetOr("branch", "")
		}
		if m.Method == sip.ACK || slices.ContainsFunc(a.heard, known) {
			return
		}
		a.heard = append(a.heard, m)
		if m.IsInvite() && !m.To().Params.Has("tag") {
			a.callID, a.theirs = m.CallID().Value(), tagOf(m.From().Params)
		}
	case *sip.Response:
		if m.CSeq() != nil && m.CSeq().MethodName == sip.INVITE && m.StatusCode >= 200 {
			a.refusedUs = m.StatusCode >= 300
		}
		if tag := tagOf(m.To().Params); tag != "" && m.CallID().Value() == a.callID && m.StatusCode < 300 {
			a.theirs = tag
		}
	}
}

package sim

import (
	"fmt"
	"strings"
	"time"
)

func (p *peer) newCall(id, remote string) *Call {
	c := &Call{peer: p, ID: id, remote: remote, remoteURI: "sip:" + remote, number: 1, answers: make(map[string]*answer)}
	p.call = c
	p.calls = append(p.calls, c)
	p.known[id] = c
	return c
}

// announced notes the address to which requests to the node go from now on (RFC 3261 §12.2).
func (c *Call) announced(contact string) {
	if contact != "" {
		c.remoteURI = uriOf(contact)
		c.remote = addrOf(c.remoteURI)
	}
}

// agree puts s in force. With p, it also schedules what s requires.
func (c *Call) agree(s session, p *peer) {
	c.session = s
	if p != nil {
		p.plan()
	}
}

// margin returns how long before expiry the party that does not refresh gives up (RFC 4028
// §10).
func margin(interval time.Duration) time.Duration { return min(32*time.Second, interval/3) }

// plan schedules the refresh of the session, or the hang-up if nobody refreshes it (RFC 4028
// §10).
func (p *peer) plan() {
	c := p.call
	c.timer.stop()
	if s := c.session; s.interval > 0 && c.alive() {
		until := s.since - p.w.now()
		if s.ours {
			c.timer = p.after(until+s.interval/2, func() { p.refresh(c) })
			return
		}
		c.timer = p.after(until+s.interval-margin(s.interval), func() {
			if !p.kind.LaxExpiry {
				p.hangUp(Expired)
			}
		})
	}
}

// refresh sends a refresh. After a failure it tries again, until the session has expired.
func (p *peer) refresh(c *Call) {
	if !c.alive() || c.own != nil {
		return
	}
	method, body := "UPDATE", ""
	if p.kind.NoUpdate {
		method, body = "INVITE", sdp
	}
	interval := max(p.kind.Interval, p.kind.MinSE)
	lines := []string{fmt.Sprintf("Session-Expires: %d;refresher=uac", int(interval.Seconds())), body}
	p.send(c, method, lines, func(m message) {
		switch {
		case !c.alive():
		case m.status/100 == 2:
			p.renewed(c, m)
		case m.status == 481:
			p.hangUp(Unknown)
		case m.status == 0 && p.kind.Impatient:
			p.hangUp(Unanswered)
		case p.w.now() >= c.session.since+c.session.interval:
			p.hangUp(Expired)
		default:
			c.timer.stop()
			c.timer = p.after(time.Second+spread(p.random, 3*time.Second), func() { p.refresh(c) })
		}
	})
}

// renewed handles the 2xx to a refresh, or to the INVITE of a peer.
func (p *peer) renewed(c *Call, m message) {
	c.announced(m.contact)
	s := session{since: p.w.now()}
	if m.expires != "" && !p.kind.Plain {
		s.interval, s.ours = seconds(m.expires), param(m.expires, "refresher") != "uas"
	}
	c.Ledger = append(c.Ledger, Entry{At: p.w.now(), Own: true, Node: c.remote, Method: m.method, Number: m.number,
		Branch: m.branch, Status: m.status, Session: s, Contact: m.contact})
	if m.method == "INVITE" {
		p.write(c.remote, p.line(c, "ACK", m.number, p.branch(), nil, ""))
	}
	if c.alive() || c.Began == 0 {
		c.agree(s, nil)
	}
	if c.alive() {
		p.plan()
	}
}

// invite calls a node. p.mu is held.
func (p *peer) invite(addr string) {
	c := p.newCall(fmt.Sprintf("%s-%d", p.branch(), len(p.calls)), addr)
	c.localTag = p.branch()
	interval := int(p.kind.Interval.Seconds())
	var lines []string
	if !p.kind.Plain {
		refresher := "uas"
		if p.kind.Refreshes {
			refresher = "uac"
		}
		lines = append(lines, fmt.Sprintf("Session-Expires: %d;refresher=%s", interval, refresher))
	}
	p.send(c, "INVITE", append(lines, sdp), func(m message) {
		if m.status/100 != 2 {
			c.Ended, c.Why = p.w.now(), Refused
			return
		}
		c.remoteTag = param(m.to, "tag")
		p.renewed(c, m)
		p.up(c)
	})
}

// send sends a request of the call. The last line is its body. p.mu is held.
func (p *peer) send(c *Call, method string, lines []string, done func(message)) {
	c.number++
	body := ""
	if n := len(lines); n > 0 {
		lines, body = lines[:n-1], lines[n-1]
	}
	tx := &transaction{method: method, branch: p.branch(), number: c.number, to: c.remote}
	tx.done = func(m message) {
		tx.sending.stop()
		if c.own == tx {
			c.own = nil
		}
		done(m)
	}
	if c.own != nil {
		c.own.sending.stop()
	}
	c.own = tx
	longest := t2
	if method == "INVITE" {
		longest = timeout // no bound for the doubling pauses
	}
	tx.sending = p.repeat(c.remote, p.line(c, method, tx.number, tx.branch, lines, body), longest, func() { tx.done(message{}) })
}

// line returns a request as text.
func (p *peer) line(c *Call, method string, number uint32, branch string, lines []string, body string) string {
	var b strings.Builder
	b.Grow(700)
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=%s\r\nMax-Forwards: 70\r\nFrom: <sip:%s@%s>;tag=%s\r\nTo: <%s>",
		method, c.remoteURI, p.addr, branch, p.name, p.addr, c.localTag, "sip:node@sim")
	if c.remoteTag != "" {
		b.WriteString(";tag=" + c.remoteTag)
	}
	fmt.Fprintf(&b, "\r\nCall-ID: %s\r\nCSeq: %d %s\r\n", c.ID, number, method)
	if method == "INVITE" || method == "UPDATE" {
		b.WriteString(p.fields())
	}
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	return b.String() + ending(body)
}

// response ends the transaction of a final response, and acknowledges each 2xx to an INVITE
// (RFC 3261 §13.2.2.4). p.mu is held.
func (p *peer) response(m message) {
	c := p.known[m.callID]
	if c == nil {
		return
	}
	tx := c.own
	current := tx != nil && tx.branch == m.branch && tx.method == m.method
	switch {
	case m.method == "INVITE" && m.status/100 == 2 && !current:
		p.write(c.remote, p.line(c, "ACK", m.number, p.branch(), nil, ""))
	case !current:
	case m.status < 200:
		if m.method == "INVITE" {
			tx.sending.stop() // RFC 3261 §17.1.1.2
			tx.sending.next = p.after(2*time.Minute, func() { tx.done(message{}) })
		}
	default:
		if m.method == "INVITE" && m.status >= 300 {
			p.write(tx.to, p.ackRefusal(c, m))
		}
		tx.done(m)
	}
}

// ackRefusal returns the ACK for a refusal, which belongs to the INVITE's transaction (RFC
// 3261 §17.1.1.3).
func (p *peer) ackRefusal(c *Call, m message) string {
	to := c.remoteTag
	if to == "" {
		c.remoteTag = param(m.to, "tag")
		defer func() { c.remoteTag = "" }()
	}
	return p.line(c, "ACK", m.number, m.branch, nil, "")
}

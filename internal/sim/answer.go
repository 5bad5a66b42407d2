package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const allowed = "INVITE, ACK, CANCEL, BYE, UPDATE"

// sdp is the description of every peer.
const sdp = "v=0\r\no=peer 1 1 IN IP4 127.1.0.1\r\ns=-\r\nc=IN IP4 127.1.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=sendrecv\r\n"

// request handles a request from the network. p.mu is held.
func (p *peer) request(m message, from string) {
	c := p.known[m.callID]
	if c == nil {
		switch {
		case m.method == "INVITE" && param(m.to, "tag") == "":
			p.invited(m, from)
		case m.method != "ACK":
			p.refuse(m, from, 481, "No Such Call")
		}
		return
	}
	if m.method == "ACK" {
		c.acked(m, p.w.now())
		return
	}
	if a := c.answers[m.method+m.branch]; a != nil {
		if a.raw != "" {
			p.write(a.to, a.raw)
		}
		return
	}
	e := Entry{At: p.w.now(), Node: from, Method: m.method, Number: m.number, Branch: m.branch, Before: c.heard}
	switch {
	case p.kind.Filters && from != c.remote && c.alive():
		c.Ledger = append(c.Ledger, e)
		return
	case m.number <= c.heard && !p.kind.LaxCSeq: // RFC 3261 §12.2.2; most refuse an equal one, too
		p.final(c, m, from, e, 500, "Out of Order")
	default:
		c.heard = max(c.heard, m.number)
		p.inOrder(c, m, from, e)
	}
}

// inOrder answers a request whose CSeq is in order.
func (p *peer) inOrder(c *Call, m message, from string, e Entry) {
	refresh := m.method == "INVITE" || m.method == "UPDATE"
	switch {
	case c.Ended > 0:
		p.final(c, m, from, e, 481, "No Such Call")
	case m.method == "BYE":
		if c.alive() {
			p.end(ByNode, from)
		}
		p.final(c, m, from, e, 200, "OK")
	case m.method == "UPDATE" && p.kind.NoUpdate || !refresh:
		p.final(c, m, from, e, 405, "Method Not Allowed")
	case c.own != nil && c.own.method == "INVITE" && m.method == "INVITE": // RFC 3261 §14.2
		p.final(c, m, from, e, 491, "Request Pending")
	case m.expires != "" && p.kind.MinSE > 0 && seconds(m.expires) < p.kind.MinSE:
		p.final(c, m, from, e, 422, "Session Interval Too Small")
	default:
		p.refreshed(c, m, from, e)
	}
}

// refreshed accepts a refresh, with the target and the session in it.
func (p *peer) refreshed(c *Call, m message, from string, e Entry) {
	c.announced(m.contact)
	s := p.settle(m)
	s.since += p.kind.Slow
	c.agree(s, p)
	e.Contact, e.Session = m.contact, c.session
	if p.kind.Slow == 0 {
		p.final(c, m, from, e, 200, "OK")
		return
	}
	// The answer is determined now, and sent late.
	a := &answer{to: from, entry: len(c.Ledger)}
	if m.method == "INVITE" {
		a.raw = p.compose(m, 100, "Trying", c)
		p.write(from, a.raw)
	}
	c.answers[m.method+m.branch] = a
	e.Status = 200
	c.Ledger = append(c.Ledger, e)
	p.after(p.kind.Slow, func() { p.accept(c, m, a) })
}

// final sends a final response and notes it in the ledger.
func (p *peer) final(c *Call, m message, from string, e Entry, status int, reason string) {
	e.Status = status
	a := &answer{to: from, entry: len(c.Ledger)}
	c.answers[m.method+m.branch] = a
	c.Ledger = append(c.Ledger, e)
	if status == 200 {
		p.accept(c, m, a)
		return
	}
	a.raw = p.compose(m, status, reason, c)
	p.write(from, a.raw)
}

// accept sends the 2xx, to an INVITE until its ACK (RFC 3261 §13.3.1.4).
func (p *peer) accept(c *Call, m message, a *answer) {
	a.raw = p.compose(m, 200, "OK", c)
	c.Ledger[a.entry].Answered = p.w.now()
	if m.method != "INVITE" {
		p.write(a.to, a.raw)
		return
	}
	a.sending = p.repeat(a.to, a.raw, t2, func() {})
}

// acked ends the retransmissions of a 2xx.
func (c *Call) acked(m message, now time.Duration) {
	for key, a := range c.answers {
		if e := &c.Ledger[a.entry]; strings.HasPrefix(key, "INVITE") && e.Number == m.number && e.Accepted() {
			a.sending.stop()
			if e.Acked == 0 {
				e.Acked = now
			}
		}
	}
}

// invited accepts a call.
func (p *peer) invited(m message, from string) {
	if p.busy() || p.quiet {
		p.refuse(m, from, 486, "Busy Here")
		return
	}
	c := p.newCall(m.callID, from)
	c.localTag, c.remoteTag, c.heard = p.branch(), param(m.from, "tag"), m.number
	c.announced(m.contact)
	c.agree(p.settle(m), nil)
	e := Entry{At: p.w.now(), Node: from, Method: "INVITE", Number: m.number, Branch: m.branch, Contact: m.contact, Session: c.session}
	p.final(c, m, from, e, 200, "OK")
	p.up(c)
}

// settle returns the session that a 2xx to m begins (RFC 4028 §9).
func (p *peer) settle(m message) session {
	if p.kind.Plain || m.expires == "" {
		return session{}
	}
	s := session{interval: min(seconds(m.expires), max(p.kind.Interval, p.kind.MinSE)), since: p.w.now()}
	s.interval = max(s.interval, seconds(m.minSE), 90*time.Second)
	switch param(m.expires, "refresher") {
	case "uas":
		s.ours = true
	case "":
		s.ours = p.kind.Refreshes
	}
	return s
}

// refuse answers a request that belongs to no call.
func (p *peer) refuse(m message, to string, status int, reason string) {
	p.write(to, p.compose(m, status, reason, nil))
}

// compose returns a response as text.
func (p *peer) compose(m message, status int, reason string, c *Call) string {
	var b strings.Builder
	b.Grow(700)
	fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n%sFrom: %s\r\nTo: %s", status, reason, m.vias, m.from, m.to)
	if param(m.to, "tag") == "" && status > 100 {
		tag := p.name
		if c != nil {
			tag = c.localTag
		}
		b.WriteString(";tag=" + tag)
	}
	fmt.Fprintf(&b, "\r\nCall-ID: %s\r\nCSeq: %d %s\r\n", m.callID, m.number, m.method)
	switch {
	case status == 422:
		fmt.Fprintf(&b, "Min-SE: %d\r\n", int(p.kind.MinSE.Seconds()))
	case status == 405:
		b.WriteString("Allow: " + p.allow() + "\r\n")
	}
	body := ""
	if status == 200 && m.method != "BYE" {
		b.WriteString(p.fields())
		if c.session.interval > 0 {
			refresher := "uac"
			if c.session.ours {
				refresher = "uas"
			}
			fmt.Fprintf(&b, "Require: timer\r\nSession-Expires: %d;refresher=%s\r\n", int(c.session.interval.Seconds()), refresher)
		}
		if m.method == "INVITE" {
			body = sdp
		}
	}
	return b.String() + ending(body)
}

// fields returns the header fields of each INVITE, UPDATE and 2xx to them.
func (p *peer) fields() string {
	f := "Contact: <sip:" + p.name + "@" + p.addr + ">\r\nAllow: " + p.allow() + "\r\n"
	if !p.kind.Plain {
		f += "Supported: timer\r\n"
	}
	return f
}

func (p *peer) allow() string {
	if p.kind.NoUpdate {
		return strings.TrimSuffix(allowed, ", UPDATE")
	}
	return allowed
}

// ending returns the last header fields of a message, and the body.
func ending(body string) string {
	if body == "" {
		return "Content-Length: 0\r\n\r\n"
	}
	return "Content-Type: application/sdp\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// seconds returns the number before the parameters.
func seconds(value string) time.Duration {
	number, _, _ := strings.Cut(value, ";")
	n, _ := strconv.Atoi(strings.TrimSpace(number))
	return time.Duration(n) * time.Second
}

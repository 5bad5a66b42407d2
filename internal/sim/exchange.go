package sim

import (
	"strings"
	"time"
)

// exchange is one transaction of a call as seen on the wire. The time of something that did
// not happen is 0.
type exchange struct {
	node    *node
	own     bool // the peer sent the request
	method  string
	number  uint32
	branch  string
	reason  string
	copies  int           // of the request that were sent
	sent    time.Duration // first
	left    time.Duration // the copy of the request that arrived first was sent
	arrived time.Duration // it arrived
	written time.Duration // a final response, first
	final   time.Duration // it arrived, first
	status  int           // of the final response that arrived, else of the one that was written
	ack     time.Duration // an ACK was sent
	acked   time.Duration // it arrived
}

// refresh reports whether it is an INVITE or UPDATE.
func (e *exchange) refresh() bool { return e.method == "INVITE" || e.method == "UPDATE" }

// exchanges returns the exchanges of each call of a peer, in order; with an ID, only of that
// call.
func (w *world) exchanges(p *peer, only string) map[string][]*exchange {
	calls := make(map[string][]*exchange)
	for _, packet := range w.wire.tapes[p.addr].packets {
		if only != "" && !strings.Contains(packet.text, only) {
			continue
		}
		m, ok := parse(packet.text)
		if !ok {
			continue
		}
		own, n := packet.from == p.addr, packet.node
		switch {
		case m.status > 0:
			respond(calls[m.callID], m, packet)
		case m.method == "ACK":
			acknowledge(calls[m.callID], m, own, packet)
		default:
			calls[m.callID] = request(calls[m.callID], m, own, n, packet)
		}
	}
	return calls
}

func request(all []*exchange, m message, own bool, n *node, p packet) []*exchange {
	for _, e := range all {
		if e.branch == m.branch && e.method == m.method {
			e.copies++
			if first := earlier(e.arrived, p.arrives); first != e.arrived {
				e.left, e.arrived, e.node = p.at, first, n
			}
			return all
		}
	}
	return append(all, &exchange{node: n, own: own, method: m.method, number: m.number, branch: m.branch,
		reason: m.reason, copies: 1, sent: p.at, left: p.at, arrived: p.arrives})
}

func respond(all []*exchange, m message, p packet) {
	for _, e := range all {
		if e.branch != m.branch || e.method != m.method || m.status < 200 {
			continue
		}
		e.written = earlier(e.written, p.at)
		if e.status == 0 || e.final == 0 || p.arrives > 0 && p.arrives < e.final {
			e.status = m.status
		}
		e.final = earlier(e.final, p.arrives)
	}
}

func acknowledge(all []*exchange, m message, own bool, p packet) {
	for _, e := range all {
		if e.method == "INVITE" && e.own == own && e.number == m.number {
			e.ack = earlier(e.ack, p.at)
			e.acked = earlier(e.acked, p.arrives)
		}
	}
}

// earlier returns the earlier of two moments, where 0 means never.
func earlier(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

package sim

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// wire decides the fate of each packet, and records it for the judges.
type wire struct {
	w      *world
	random *rand.Rand

	mu    sync.Mutex
	nodes map[string]*node // by address; for a common address the node that has it
	turns []turnOf         // of nodes that have the common address, in order
	tapes map[string]*tape // by the peer's address
	storm storm
	cuts  map[path][]span
	final map[string]bool // refusals of INVITEs that have reached a node, by branch
}

// path is between a node, by name, and a peer, by address.
type path struct{ node, peer string }

// storm is a time of packet loss and delay, until a moment.
type storm struct {
	until         time.Duration
	loss, doubled float64
	delay         time.Duration
}

// tape has the packets between one peer and all nodes, in order.
type tape struct{ packets []packet }

// packet is one datagram.
type packet struct {
	at, arrives time.Duration // arrives is 0 if it was lost
	from, to    string
	text        string
	node        *node // one end; nil if no node had the common address
}

func (x *wire) filter(p sipnet.Packet) sipnet.Verdict {
	n, arrives := x.nodeOf(p), time.Duration(0)
	v := x.decide(p, n)
	if !v.Drop {
		arrives = p.At + v.Delay
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.tapes[p.From]
	if t == nil {
		t = x.tapes[p.To]
	}
	if t != nil {
		t.packets = append(t.packets, packet{p.At, arrives, p.From, p.To, string(p.Data), n})
	}
	return v
}

// nodeOf returns the node at one end of p.
func (x *wire) nodeOf(p sipnet.Packet) *node {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := x.nodes[p.From]; n != nil {
		return n
	}
	return x.nodes[p.To]
}

func (x *wire) decide(p sipnet.Packet, n *node) (v sipnet.Verdict) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n == nil {
		return sipnet.Verdict{Drop: true} // peers talk to nodes only
	}
	at := path{n.name, p.To}
	if p.To == n.addr {
		at.peer = p.From
	}
	up, paused := n.state()
	if p.To == n.addr {
		_, _, up = n.running()
	}
	for _, s := range x.cuts[at] {
		v.Drop = v.Drop || s.from <= p.At && p.At < s.to
	}
	if v.Drop = v.Drop || !up; v.Drop {
		return v
	}
	if p.At < x.storm.until {
		v.Drop = x.random.Float64() < x.storm.loss
		v.Duplicate = x.random.Float64() < x.storm.doubled
		v.Delay = spread(x.random, x.storm.delay)
	}
	if refusal := refusedInvite(p.Data); refusal != "" && x.nodes[p.To] != nil {
		// sipgo's client transaction holds its lock until somebody reads a refusal
		// that came again, for which a bubble would wait for ever.
		v = sipnet.Verdict{Drop: x.final[refusal], Delay: v.Delay}
		x.final[refusal] = true
	}
	// The packets to a paused process wait in its socket, and those from it leave when it
	// continues.
	v.Delay = max(v.Delay, paused-p.At)
	return v
}

func (n *node) state() (up bool, paused time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.up, n.until
}

// refusedInvite returns the branch of the INVITE that a response refuses, else an empty text.
func refusedInvite(data []byte) string {
	if len(data) < 9 || data[0] != 'S' || data[8] < '3' {
		return ""
	}
	m, ok := parse(string(data))
	if !ok || m.method != "INVITE" {
		return ""
	}
	return m.branch
}

// cut cuts a node off from a share of the peers.
func (x *wire) cut(n *node, share float64, until time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.w.peers {
		if x.random.Float64() < share {
			at := path{n.name, p.addr}
			x.cuts[at] = append(x.cuts[at], span{x.w.now(), until})
		}
	}
}

func (x *wire) weather(rate float64, until time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.storm = storm{until: until, loss: 0.3 * rate, doubled: 0.1, delay: 1 + spread(x.random, 200*time.Millisecond)}
}

// reached reports whether n ran, had its address and was not cut off from p for all of the
// time.
func (x *wire) reached(n *node, p *peer, from, to time.Duration) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.cuts[path{n.name, p.addr}] {
		if s.from < to && s.to > from {
			return false
		}
	}
	return n.ran(from, to) && x.had(n, from, to)
}

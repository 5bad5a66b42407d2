package sim

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// peer is a light user agent on the network, without a SIP stack. It has one call at a time,
// and keeps a ledger of it.
type peer struct {
	w    *world
	name string
	addr string
	kind Kind
	conn net.PacketConn

	mu     sync.Mutex
	random *rand.Rand
	serial int
	gone   bool             // it has crashed and sends nothing
	life   int              // counts its crashes
	quiet  bool             // it begins no more calls
	call   *Call            // the latest; nil after a crash
	calls  []*Call          // all
	known  map[string]*Call // since the last crash
	next   *turn            // the next call, or the end of this one
}

func newPeer(w *world, i int, random *rand.Rand) *peer {
	p := &peer{w: w, name: fmt.Sprintf("p%d", i), kind: drawKind(random), random: random, known: make(map[string]*Call),
		addr: fmt.Sprintf("127.1.%d.%d:5060", i/250, i%250+1)}
	p.conn = w.net.PacketConn(p.addr)
	go p.listen()
	return p
}

// listen handles packets until the network ends.
func (p *peer) listen() {
	buf := make([]byte, 4096)
	for {
		n, from, err := p.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		m, ok := parse(string(buf[:n]))
		if !ok {
			continue
		}
		p.mu.Lock()
		switch {
		case p.gone:
		case m.status > 0:
			p.response(m)
		default:
			p.request(m, from.String())
		}
		p.mu.Unlock()
	}
}

// write sends to host:port. For an invalid address the packet is lost.
func (p *peer) write(to, raw string) {
	if addr, err := netip.ParseAddrPort(to); err == nil {
		_, _ = p.conn.WriteTo([]byte(raw), net.UDPAddrFromAddrPort(addr))
	}
}

// live schedules the next call. p.mu is held.
func (p *peer) live(after time.Duration) {
	p.next.stop()
	if !p.quiet {
		p.next = p.after(after, p.begin)
	}
}

func (p *peer) begin() {
	n := p.w.anyNode(p.random)
	switch {
	case n == nil || p.quiet || p.busy():
	case p.random.IntN(2) == 0:
		p.invite(n.addr)
	default:
		go n.dial(p.addr) // in its own goroutine: it waits for our answer
	}
	p.live(time.Minute + spread(p.random, time.Minute)) // unless there is a call by then
}

// busy reports whether there is a call, or will be.
func (p *peer) busy() bool { return p.call != nil && p.call.Ended == 0 }

// up begins a call; what ends it is drawn. p.mu is held.
func (p *peer) up(c *Call) {
	p.next.stop()
	c.Began = p.w.now()
	p.next = p.after(10*time.Second+spread(p.random, 2*p.w.plan.CallLength), func() {
		switch draw := p.random.IntN(20); {
		case draw == 0 && !p.quiet:
			p.crash(20*time.Second + spread(p.random, time.Hour))
		case draw < 8 && p.w.hangUp(c):
			// If the node's BYE is lost, the peer's own session ends the call.
			p.next = p.after(2*time.Minute, func() { p.hangUp(HungUp) })
		default:
			p.hangUp(HungUp)
		}
	})
	p.plan()
}

// hangUp ends the call with a BYE. p.mu is held.
func (p *peer) hangUp(why Why) {
	if c := p.call; c != nil && c.alive() {
		p.end(why, c.remote)
		p.send(c, "BYE", nil, func(message) {})
	}
}

// end notes the end of the call, and schedules the next one. p.mu is held.
func (p *peer) end(why Why, by string) {
	c := p.call
	c.Ended, c.Why, c.By = p.w.now(), why, by
	c.timer.stop()
	p.live(time.Minute + spread(p.random, 10*time.Minute))
}

// crash silences p for a while, and makes it forget its call. p.mu is held.
func (p *peer) crash(silent time.Duration) {
	p.end(Vanished, "")
	clear(p.known)
	p.call, p.gone = nil, true
	p.life++
	time.AfterFunc(silent, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.gone = false
		p.live(spread(p.random, time.Minute))
	})
}

// rest lets p begin no more calls.
func (p *peer) rest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet = true
	if !p.busy() {
		p.next.stop()
	}
}

// finish hangs up, regardless of the kind.
func (p *peer) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next.stop()
	p.hangUp(HungUp)
}

// branch returns a new branch.
func (p *peer) branch() string {
	p.serial++
	return fmt.Sprintf("z9hG4bK-%s-%d", p.name, p.serial)
}

func spread(random *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(d)))
}

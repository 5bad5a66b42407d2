package sim

import "time"

// T1, T2 and the lifetime of a transaction (RFC 3261 §17).
const (
	t1      = 500 * time.Millisecond
	t2      = 4 * time.Second
	timeout = 64 * t1
)

// turn is a timer of a peer. Its function runs with the peer's lock held, unless the timer was
// stopped before or the peer has crashed.
type turn struct{ timer *time.Timer }

// after calls f later. p.mu is held.
func (p *peer) after(d time.Duration, f func()) *turn {
	t, life := &turn{}, p.life
	t.timer = time.AfterFunc(d, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if t.timer != nil && p.life == life {
			t.timer = nil
			f()
		}
	})
	return t
}

// stop may be called for nil. The peer's lock is held.
func (t *turn) stop() {
	if t != nil && t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
}

// repeat sends now, and retransmits like a transaction over UDP, until it is stopped or the
// time is up; longest bounds the pauses.
type repeat struct {
	p       *peer
	to, raw string
	pause   time.Duration
	longest time.Duration
	left    time.Duration
	next    *turn
	over    func() // time is up
}

func (p *peer) repeat(to, raw string, longest time.Duration, over func()) *repeat {
	r := &repeat{p: p, to: to, raw: raw, pause: t1, longest: longest, left: timeout, over: over}
	r.send()
	return r
}

func (r *repeat) send() {
	r.p.write(r.to, r.raw)
	if r.left <= r.pause {
		r.next = r.p.after(r.left, r.over)
		return
	}
	r.next = r.p.after(r.pause, r.send)
	r.left -= r.pause
	r.pause = min(2*r.pause, r.longest)
}

func (r *repeat) stop() {
	if r != nil {
		r.next.stop()
	}
}

// transaction is a request of a peer in progress.
type transaction struct {
	method, branch string
	number         uint32
	to             string // address
	sending        *repeat
	done           func(m message) // the final response; status 0 if there was none
}

// answer is a peer's response, kept to answer retransmissions.
type answer struct {
	to      string
	raw     string  // empty while there is none yet
	sending *repeat // a 2xx to an INVITE until its ACK
	entry   int     // in the ledger
}

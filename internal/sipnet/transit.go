package sipnet

import (
	"slices"
	"time"
)

// Packet is one datagram, or one write to a TCP stream, on its way.
type Packet struct {
	At        time.Duration // since New
	From, To  string        // host:port
	Transport string        // "udp" or "tcp"
	Data      []byte        // must not be kept or changed
}

// Verdict is what a filter decides about a packet. The zero Verdict delivers it
// at once.
type Verdict struct {
	Drop      bool          // lose it; the other fields then mean nothing
	Delay     time.Duration // deliver it this much later
	Duplicate bool          // deliver it twice
}

// SetFilter lets f decide about every packet from now on; nil delivers them all.
// Calls to f never overlap. f must not write to the network itself. Datagrams
// with different delays overtake each other, writes to one TCP stream do not.
// Packets lost to Silence are not shown to f.
func (n *Network) SetFilter(f func(Packet) Verdict) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.filter = f
}

// flight is a delivery that waits for its time.
type flight struct {
	due   time.Duration
	to    string
	via   any // the stream direction, nil for a datagram
	land  func()
	timer *time.Timer
}

// send takes one write through filter, record and delivery, and then shows it to
// the observers. land puts it into the receiver's queue and must not block; a nil
// land means nobody listens.
func (n *Network) send(p Packet, via any, land func()) {
	n.pass(p, via, land)
	n.showObservers()
}

func (n *Network) pass(p Packet, via any, land func()) {
	n.turn <- struct{}{}
	defer func() { <-n.turn }()

	p.At = n.Elapsed()
	n.mu.Lock()
	swallowed := n.silent[p.From] || n.silent[p.To]
	filter := n.filter
	n.mu.Unlock()

	var v Verdict
	if filter != nil && !swallowed {
		v = filter(p)
	}
	dropped := swallowed || v.Drop || land == nil
	n.record(p, dropped)
	if dropped {
		return
	}
	n.launch(p.To, via, v.Delay, land)
	if v.Duplicate {
		n.launch(p.To, via, v.Delay, land)
	}
}

// launch delivers now, or after the given delay. The bytes of one stream direction never
// overtake each other.
func (n *Network) launch(to string, via any, delay time.Duration, land func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	now := n.Elapsed()
	due := now + max(delay, 0)
	queued := delay > 0
	if via != nil {
		for _, f := range n.flights {
			if f.via == via {
				due, queued = max(due, f.due), true
			}
		}
	}
	if !queued {
		land()
		return
	}
	f := &flight{due: due, to: to, via: via, land: land}
	// After every flight of the same time: equal delays keep their order.
	i := len(n.flights)
	for i > 0 && n.flights[i-1].due > due {
		i--
	}
	n.flights = slices.Insert(n.flights, i, f)
	f.timer = time.AfterFunc(due-now, n.arrive)
}

// arrive delivers every flight that is due, in order. It does not matter which timer
// called: timers of the same instant run in any order.
func (n *Network) arrive() {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.Elapsed()
	for len(n.flights) > 0 && n.flights[0].due <= now {
		f := n.flights[0]
		n.flights = n.flights[1:]
		if !n.silent[f.to] {
			f.land()
		}
	}
}

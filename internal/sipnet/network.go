// Package sipnet is the in-memory network, ladder printer and scripted raw peer
// for tests.
//
// Everything in it works inside a testing/synctest bubble: it waits on channels
// and package time only, holds its mutexes for a few instructions, and starts no
// goroutine except the callbacks of delayed deliveries, which Close stops.
package sipnet

import (
	"sync"
	"time"
)

// Network connects UDP endpoints and TCP streams that live in one process. It
// delivers at once and in order unless a filter says otherwise, and records
// every SIP message written to it. Its methods may be called concurrently.
type Network struct {
	start time.Time

	// turn is held from the filter to the delivery of one write, so that filter,
	// record and delivery agree on the order. It is a one-slot channel and not a
	// mutex: waiting for a channel does not stop the time of a bubble.
	turn chan struct{}

	mu        sync.Mutex
	udp       map[string]*packetConn
	floating  map[string]map[*packetConn]bool // those open at each floating address
	listeners map[string]*listener
	streams   map[*stream]struct{}
	silent    map[string]bool
	stalled   map[string]chan struct{} // closed when it is over
	filter    func(Packet) Verdict
	flights   []*flight
	closed    bool
	serial    int

	log        []Message
	unrecorded bool // log stays as it is
	observers  []func(Message)
	observed   int  // messages of log already shown to the observers
	observing  bool // a goroutine is showing messages
}

// New returns an empty network. Times are counted from this call.
func New() *Network {
	return &Network{
		start:     time.Now(),
		turn:      make(chan struct{}, 1),
		udp:       make(map[string]*packetConn),
		floating:  make(map[string]map[*packetConn]bool),
		listeners: make(map[string]*listener),
		streams:   make(map[*stream]struct{}),
		silent:    make(map[string]bool),
		stalled:   make(map[string]chan struct{}),
	}
}

// Close closes every endpoint of the network and drops what is in flight.
// Readers blocked on an endpoint return net.ErrClosed. Closing twice is harmless.
func (n *Network) Close() {
	n.mu.Lock()
	n.closed = true
	for _, f := range n.flights {
		f.timer.Stop()
	}
	n.flights = nil
	var all []interface{ shut() }
	for _, c := range n.udp {
		all = append(all, c)
	}
	for _, open := range n.floating {
		for c := range open {
			all = append(all, c)
		}
	}
	for _, l := range n.listeners {
		all = append(all, l)
	}
	for s := range n.streams {
		all = append(all, s)
	}
	clear(n.udp)
	clear(n.listeners)
	clear(n.streams)
	for _, over := range n.stalled {
		close(over)
	}
	clear(n.stalled)
	n.mu.Unlock()

	for _, c := range all {
		c.shut()
	}
}

// Elapsed returns the time since New.
func (n *Network) Elapsed() time.Duration { return time.Since(n.start) }

// Silence makes the sockets at addr fall silent: everything sent to or from addr, over UDP
// or TCP, is lost without an error. What addr sent before still arrives; what was on its
// way to addr does not.
func (n *Network) Silence(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent[addr] = true
}

// Restore undoes Silence. What was lost in between stays lost.
func (n *Network) Restore(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.silent, addr)
}

// nextSerial returns numbers for values that must be unique on this network, such as Via
// branches.
func (n *Network) nextSerial() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.serial++
	return n.serial
}

package sipnet

import (
	"bytes"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Message is one SIP message as it was written to the network. A duplicated one
// is recorded once, at the time of the write.
type Message struct {
	At        time.Duration // since New
	From, To  string        // host:port
	Transport string        // "udp" or "tcp"
	Dropped   bool          // it never arrived
	SIP       sip.Message   // nil if it could not be parsed
	Raw       []byte        // not to be changed
}

// Messages returns what was written so far, in order. Only SIP is recorded, not
// RTP or keep-alives.
func (n *Network) Messages() []Message {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.log)
}

// Observe calls f with every message written from now on. Calls never overlap and come in
// the order of Messages, but not always from the writer's goroutine.
func (n *Network) Observe(f func(Message)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.observers = append(n.observers, f)
}

// StopRecording stops keeping messages and showing them to observers. It is for benchmarks,
// which would otherwise measure the recording.
func (n *Network) StopRecording() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unrecorded = true
}

func (n *Network) record(p Packet, dropped bool) {
	n.mu.Lock()
	unrecorded := n.unrecorded
	n.mu.Unlock()
	if unrecorded || !looksLikeSIP(p.Data) {
		return
	}
	m := Message{At: p.At, From: p.From, To: p.To, Transport: p.Transport, Dropped: dropped, Raw: p.Data}
	if msg, err := sip.ParseMessage(p.Data); err == nil {
		m.SIP = msg
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.observers) == 0 {
		n.observed++
	}
	n.log = append(n.log, m)
}

// looksLikeSIP reports whether data is a SIP message, even a malformed one, by the version
// in its first line.
func looksLikeSIP(data []byte) bool {
	first, _, _ := bytes.Cut(bytes.TrimLeft(data, "\r\n"), []byte("\n"))
	return bytes.Contains(first, []byte("SIP/2.0"))
}

// showObservers shows the messages not yet shown. If another goroutine is already showing
// messages it leaves the rest to that one, which keeps the order and lets an observer
// write to the network itself.
func (n *Network) showObservers() {
	n.mu.Lock()
	busy := n.observing
	n.observing = true
	n.mu.Unlock()
	if busy {
		return
	}
	for {
		m, observers, ok := n.nextUnseen()
		if !ok {
			return
		}
		for _, f := range observers {
			f(m)
		}
	}
}

// nextUnseen returns the next message to show, or notes that there is none.
func (n *Network) nextUnseen() (Message, []func(Message), bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.observed == len(n.log) {
		n.observing = false
		return Message{}, nil, false
	}
	m := n.log[n.observed]
	n.observed++
	return m, slices.Clone(n.observers), true
}

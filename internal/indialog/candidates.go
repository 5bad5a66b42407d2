package indialog

import (
	"slices"
	"time"
)

// Facts are what is known about how to reach a peer. Addresses are host:port, or empty
// if unknown.
type Facts struct {
	Transport string // udp, tcp, tls, ws or wss
	URI       string // where the route set leads, else the remote target
	Chosen    string // destination chosen by the application
	Source    string // where the peer's latest INVITE, UPDATE or 2xx came from
	Behind    bool   // the peer is behind a NAT: see Seen.Behind
	Routed    bool   // the dialog has a route set
	Answered  string // the place that answered last, unless it comes first anyway
}

// Candidate is a place to send to.
type Candidate struct {
	Addr string // host:port; empty for where the message's own URIs lead
	Open bool   // use only an open connection: nobody listens at the address
}

// Candidates returns the places to try, in this order:
//
//	the place that answered last
//	the destination chosen by the application
//	the open stream of the peer's latest message (RFC 5626 §4.3, RFC 7118 §5)
//	the source of its latest datagram, if its Contact cannot be right
//	where the route set or the Contact leads (RFC 3261 §12.2.1.1)
//	the source of its latest datagram
//
// No place appears twice.
func (f Facts) Candidates() []Candidate {
	list := make([]Candidate, 0, 2) // rarely more
	if f.Answered != "" {
		list = f.add(list, Candidate{Addr: f.Answered, Open: f.stream() && f.Answered == f.Source})
	}
	if f.Chosen != "" {
		list = f.add(list, Candidate{Addr: f.Chosen})
	}
	list = f.add(list, f.Peer())
	list = f.add(list, Candidate{})
	if f.Source != "" {
		list = f.add(list, f.source())
	}
	return list
}

// add appends a place unless it is in the list. A place that is also an address to send
// to may be connected to, even if it is the far end of a stream as well.
func (f Facts) add(list []Candidate, c Candidate) []Candidate {
	for i := range list {
		if f.Leads(list[i]) == f.Leads(c) {
			list[i].Open = list[i].Open && c.Open
			return list
		}
	}
	return append(list, c)
}

// Peer returns where the peer is according to its own messages, regardless of the
// application's destination and of the place that answered last.
func (f Facts) Peer() Candidate {
	if f.Source != "" && (f.stream() || f.Behind) {
		return f.source()
	}
	return Candidate{}
}

func (f Facts) source() Candidate { return Candidate{Addr: f.Source, Open: f.stream()} }

func (f Facts) stream() bool { return f.Transport != "udp" }

// Leads returns the address that a candidate leads to.
func (f Facts) Leads(c Candidate) string {
	if c.Addr == "" {
		return f.URI
	}
	return c.Addr
}

// Remember returns the Answered to store when a candidate has answered: nothing if it
// would come first without Answered.
func (f Facts) Remember(c Candidate) string {
	f.Answered = ""
	if f.Leads(f.Candidates()[0]) == f.Leads(c) {
		return ""
	}
	return f.Leads(c)
}

// Patience returns how long to wait for an answer of a candidate. If others may be tried
// after it, that is half of the time left until the last chance.
func Patience(left time.Duration, others int) time.Duration {
	if others > 0 {
		return left / 2
	}
	return left
}

// Gone reports whether a final response says that the call is over, or that there is no
// such user (RFC 3261 §12.2.1.2, RFC 5057 §5.1).
func Gone(status int) bool {
	return slices.Contains([]int{404, 408, 410, 416, 480, 481, 482, 483, 484, 485, 502, 604}, status)
}

// Believe reports whether a final response of a candidate counts. A response by which the
// call is over does not count if the place is a guess and there are others to try: it may
// come from a stranger. The application's destination, the peer's stream, the first hop of
// the route set, and a place that answered before are not guesses.
func (f Facts) Believe(status int, c Candidate, others int) bool {
	if others == 0 || !Gone(status) || c.Open || f.Routed && f.Leads(c) == f.URI {
		return true
	}
	return c.Addr != "" && (c.Addr == f.Chosen || c.Addr == f.Answered)
}

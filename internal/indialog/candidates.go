package indialog

import (
	"slices"
	"time"
)

// Facts are what is known of the way to a peer. Addresses are host:port, empty if
// unknown.
type Facts struct {
	Transport string // udp, tcp, tls, ws or wss
	URI       string // where the route set leads, else the remote target
	Chosen    string // where the application sends
	Source    string // where the peer's latest INVITE, UPDATE or 2xx came from
	Behind    bool   // it is not where its Contact says: see Seen.Behind
	Routed    bool   // the dialog has a route set
	Answered  string // what has answered last, if it is not what comes first anyway
}

// Candidate is a place to send to.
type Candidate struct {
	Addr string // host:port; empty for where the message's own URIs lead
	Open bool   // only over a connection that is open: nobody listens there
}

// Candidates are the places to try, in this order:
//
//	what answered last
//	where the application sends, if it says so
//	the open stream of the peer's latest message (RFC 5626 §4.3, RFC 7118 §5)
//	the source of its latest datagram, if its Contact cannot be right
//	where the route set or the Contact leads (RFC 3261 §12.2.1.1)
//	the source of its latest datagram
//
// No place comes twice.
func (f Facts) Candidates() []Candidate {
	list := make([]Candidate, 0, 5)
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

// add appends a place, unless it is there. One that somebody names as an address to
// send to may be connected to, whoever else says that it was a stream's far end.
func (f Facts) add(list []Candidate, c Candidate) []Candidate {
	for i := range list {
		if f.Leads(list[i]) == f.Leads(c) {
			list[i].Open = list[i].Open && c.Open
			return list
		}
	}
	return append(list, c)
}

// Peer is where the peer itself shows that it is, whatever the application says or
// answered before.
func (f Facts) Peer() Candidate {
	if f.Source != "" && (f.stream() || f.Behind) {
		return f.source()
	}
	return Candidate{}
}

func (f Facts) source() Candidate { return Candidate{Addr: f.Source, Open: f.stream()} }

func (f Facts) stream() bool { return f.Transport != "udp" }

// Leads is the address that a candidate comes down to.
func (f Facts) Leads(c Candidate) string {
	if c.Addr == "" {
		return f.URI
	}
	return c.Addr
}

// Remember is what to keep as Answered when a candidate has answered that was not the
// first: nothing if it comes first anyway, once Answered is forgotten.
func (f Facts) Remember(c Candidate) string {
	f.Answered = ""
	if f.Leads(f.Candidates()[0]) == f.Leads(c) {
		return ""
	}
	return f.Leads(c)
}

// Patience is how long the answer of a candidate is waited for when others may be
// tried after it: never more than half of what is left until the last chance.
func Patience(left time.Duration, others int) time.Duration {
	if others > 0 {
		return left / 2
	}
	return left
}

// Gone reports whether a final response says that the call is no more, or that there is
// nobody of that name (RFC 3261 §12.2.1.2, RFC 5057 §5.1).
func Gone(status int) bool {
	return slices.Contains([]int{404, 408, 410, 416, 480, 481, 482, 483, 484, 485, 502, 604}, status)
}

// Believe reports whether a final response of a candidate counts. One which says that
// the call is no more does not while there are others to ask, if the place was only
// guessed: whoever is there may be a stranger. It is no guess where the application
// sends, where the peer's stream ends, where the route set leads, nor what has answered
// before.
func (f Facts) Believe(status int, c Candidate, others int) bool {
	if others == 0 || !Gone(status) || c.Open || f.Routed && f.Leads(c) == f.URI {
		return true
	}
	return c.Addr != "" && (c.Addr == f.Chosen || c.Addr == f.Answered)
}

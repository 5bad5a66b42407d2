// Package target says where a request of ours within a dialog goes: which
// addresses may reach the peer, in which order, and when the next one is tried.
// All of it is values and pure functions.
package target

import (
	"net/netip"
	"strings"
	"time"
)

// Facts are what is known of the way to a peer. Addresses are host:port, empty if
// unknown.
type Facts struct {
	Transport string // udp, tcp, tls, ws or wss
	URI       string // host:port that the route set leads to, else the remote target
	Chosen    string // where the application sends
	Source    string // where the peer's latest INVITE, UPDATE or 2xx came from
	Behind    bool   // it was seen at Source and cannot be reached by its Contact: see Behind
	Answered  string // what has answered last, since then
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
	var list []Candidate
	add := func(c Candidate) {
		for i := range list {
			if list[i].Addr == c.Addr || f.leads(list[i]) == f.leads(c) {
				list[i].Open = list[i].Open && c.Open
				return
			}
		}
		list = append(list, c)
	}
	stream := f.Transport != "udp"
	source := Candidate{Addr: f.Source, Open: stream}
	if f.Answered != "" {
		add(Candidate{Addr: f.Answered, Open: stream && f.Answered == f.Source})
	}
	if f.Chosen != "" {
		add(Candidate{Addr: f.Chosen})
	}
	if f.Source != "" && (stream || f.Behind) {
		add(source)
	}
	add(Candidate{})
	if f.Source != "" {
		add(source)
	}
	return list
}

// leads is the address that a candidate comes down to.
func (f Facts) leads(c Candidate) string {
	if c.Addr == "" {
		return f.URI
	}
	return c.Addr
}

// Patience is how long the answer of a candidate is waited for when others may be
// tried after it: never more than half of what is left until the last chance.
func Patience(left time.Duration, others int) time.Duration {
	if others > 0 {
		return left / 2
	}
	return left
}

// Believe reports whether a response which says that the call is no more, as 408
// and 481 do, ends it. One that comes from a place which was only guessed does not
// while there are others: whoever is there may be a stranger.
func Believe(f Facts, c Candidate, others int) bool {
	return others == 0 || f.Answered != "" && f.leads(c) == f.Answered
}

// Seen is how a message of the peer looked on arrival.
type Seen struct {
	Transport string
	Contact   string // host
	Via       string // host of the topmost
	Hops      int    // how many Vias
	Source    string // host:port
	Routed    bool   // the dialog has a route set: a proxy answers for the way
}

// Behind reports whether the peer is not where its Contact says: it has no address
// (RFC 7118 §5), or says in its Via too that it has another one than it was seen
// at, or one that no stranger can reach.
func (s Seen) Behind() bool {
	if s.Routed || s.Contact == "" || s.Source == "" {
		return false
	}
	if s.Transport == "ws" || s.Transport == "wss" || strings.HasSuffix(s.Contact, ".invalid") {
		return true
	}
	from, err := netip.ParseAddrPort(s.Source)
	to, err2 := netip.ParseAddr(strings.Trim(s.Contact, "[]"))
	if err != nil || err2 != nil {
		return false
	}
	if from.Addr().Unmap() == to.Unmap() {
		return false
	}
	direct := s.Hops == 1 && s.Via == s.Contact
	return direct || private(to.Unmap()) && !private(from.Addr().Unmap())
}

// sharedSpace is that of carrier-grade NAT (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || sharedSpace.Contains(a)
}

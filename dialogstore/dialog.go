package dialogstore

import (
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// ID names a dialog from the view of this user agent (RFC 3261 §12). The zero
// ID names none.
type ID struct {
	CallID    string
	LocalTag  string
	RemoteTag string
}

// Dialog is everything needed to refresh or end a dialog, even by another process after
// a restart. It is a plain value of exported fields, suitable for any encoding, and flat
// in JSON. Its slices are shared and never written to.
type Dialog struct {
	Origin
	State
}

// Origin is the part of a dialog that the first INVITE and its 2xx determine. It never
// changes.
type Origin struct {
	ID
	OwnsCallID bool      // we sent the first INVITE
	Began      time.Time // when its 2xx was received or sent; zero if unknown
	Policy     sessiontimer.Policy

	LocalURI  string   // our From in requests, as a header value with its tag
	RemoteURI string   // our To in requests, as a header value with its tag
	RouteSet  []string // Route header values, in order
	Transport string   // udp, tcp, tls, ws or wss

	// Option tags besides timer in our first request, or in our 2xx to the peer's.
	Supported    string
	Require      string
	ProxyRequire string
}

// State is the part of a dialog that later requests and responses change. [Store].Update
// replaces all of it at once.
type State struct {
	Version uint64 // counts the commits from 1, and wraps around to 1: see Newer; set by Observed

	RemoteTarget string // Request-URI: the peer's Contact
	Contact      string // our Contact, as a header value
	LocalAddr    string // host:port of our socket; empty if unknown

	// Where requests to the peer may go, besides where their URIs lead. Addresses are
	// host:port, or empty.
	Destination string // destination chosen by the application; empty if it chose none
	Source      string // where the peer's latest accepted INVITE, UPDATE or 2xx came from
	Behind      bool   // the peer is behind a NAT at Source, not where its Contact says
	Answered    string // place that answered last; empty if it is tried first anyway

	LocalCSeq  uint32 // our last CSeq on the wire
	RemoteCSeq uint32 // the peer's highest CSeq in an INVITE or UPDATE

	Accepted string // option tags that the peer required and the application accepted

	// The session descriptions that both sides have agreed on (RFC 3264). They need not be
	// the latest ones sent: refused, cancelled and early offers do not change them. Empty
	// if nothing is agreed.
	SDP           []byte // our session description, without the other parts of a multipart body
	SDPType       string // its Content-Type
	PeerSDP       []byte // the peer's
	PeerSDPType   string
	PeerSDPBeside uint32 // fingerprint of the other parts of its multipart body; 0 for none
	SDPOffered    bool   // ours was the offer and the peer's the answer

	Session    sessiontimer.Session
	LastMethod string        // INVITE or UPDATE: the request that started or refreshed Session last
	MinSE      time.Duration // the peer's highest Min-SE within the dialog; 0 if none
	PeerTimer  bool          // the peer has listed timer
	PeerUpdate bool          // the peer's latest Allow lists UPDATE
	NoUpdate   bool          // the peer has refused an UPDATE with 405 or 501, whatever its Allow lists
}

// Call returns the part of an event that describes d.
func (d *Dialog) Call(now time.Time) sessiontimer.Call {
	return sessiontimer.Call{
		Time:      now,
		CallID:    d.CallID,
		LocalTag:  d.LocalTag,
		RemoteTag: d.RemoteTag,
		Interval:  d.Session.Interval,
		Refresher: d.Session.Refresher,
	}
}

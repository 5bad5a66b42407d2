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

// Dialog is all that must be known of a dialog to refresh or to end it, also
// by another process after a restart. It is a plain value of exported fields,
// fit for any encoding; its slices are shared and never written to.
type Dialog struct {
	ID
	Version uint64 // counts the commits, from 1, and after the largest from 1 again: see Newer; set by Observed

	LocalURI     string   // our From in requests, as a header value with its tag
	RemoteURI    string   // our To in requests, likewise
	RemoteTarget string   // Request-URI: the peer's Contact
	RouteSet     []string // Route header values, in order
	Contact      string   // our Contact, as a header value

	Transport string // udp, tcp, tls, ws or wss
	LocalAddr string // host:port of our socket; empty if unknown

	// Where requests to the peer may go besides where their URIs lead; addresses are
	// host:port, empty if there is none.
	Destination string // where the application sends
	Source      string // where the peer's latest accepted INVITE, UPDATE or 2xx came from
	Behind      bool   // the peer is not where its Contact says, but behind Source
	Answered    string // what answered last, if it is not what comes first anyway

	LocalCSeq  uint32 // last on the wire, ours
	RemoteCSeq uint32 // last seen of the peer in an INVITE or UPDATE

	// What our first request, or our 2xx to the peer's, listed besides timer.
	Supported    string
	Require      string
	ProxyRequire string
	Accepted     string // option tags that the peer has required and the application accepted

	// What both ends have agreed on (RFC 3264), not what passed last: refused,
	// cancelled and early offers leave it as it is. Empty where nothing is agreed.
	SDP           []byte // our session description, alone also where it came in a multipart body
	SDPType       string // its Content-Type
	PeerSDP       []byte // the peer's
	PeerSDPType   string
	PeerSDPBeside uint32 // fingerprint of the other parts of a multipart body that it came in; 0 for none
	SDPOffered    bool   // ours was the offer, the peer's the answer

	Session    sessiontimer.Session
	LastMethod string        // of the request whose 2xx settled Session
	MinSE      time.Duration // largest of the peer's Min-SE within the dialog; 0 if none
	PeerTimer  bool          // the peer has listed timer
	PeerUpdate bool          // the peer's latest Allow lists UPDATE
	NoUpdate   bool          // the peer has refused an UPDATE with 405 or 501, whatever it allows
	OwnsCallID bool          // we sent the first INVITE
	Policy     sessiontimer.Policy
}

// Call is what events tell of d.
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

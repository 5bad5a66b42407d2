package sessiontimer

import "time"

// Event is one of Negotiated, Refreshed, RefreshFailed, MediaChanged, Expired, Ended
// and, if nodes share calls, TakenOver, Released and Unreachable. Later versions may
// add more.
type Event interface{ Info() Call }

// Call names the dialog and the timer that an event is about.
type Call struct {
	Time      time.Time
	CallID    string
	LocalTag  string
	RemoteTag string
	Interval  time.Duration // the session interval in force; 0 without a timer
	Refresher Refresher
}

// Info returns c. Every event embeds Call and so has this method.
func (c Call) Info() Call { return c }

// Negotiated: the first INVITE was accepted, with or without a timer; see Interval and
// Refresher.
type Negotiated struct{ Call }

// Refreshed: a later 2xx to an INVITE or UPDATE, of either party, restarted or changed the
// timer.
type Refreshed struct {
	Call
	Method string // INVITE or UPDATE
}

// RefreshFailed: one of our refreshes got no 2xx. The session goes on unless Expired
// follows.
type RefreshFailed struct {
	Call
	Method string // INVITE or UPDATE
	Status int    // the final response; 0 if there was none
	Err    error  // why there was none; nil if there was one
}

// MediaChanged: the peer's session description changed in a message that the application
// did not see: the answer to one of our refreshes, or the ACK of a re-INVITE that the
// timers answered (RFC 3264 §8). From now on, send media according to Description.
type MediaChanged struct {
	Call
	Description string // the peer's new session description
	Type        string // its Content-Type, usually application/sdp
}

// Expired: the timers hang up, for instance because no refresh came in time or one of ours
// showed that the peer is gone. Ended follows, with the same Reason.
type Expired struct {
	Call
	Reason Reason
}

// Ended: the dialog is over and no longer stored. No other event follows.
type Ended struct {
	Call
	Reason Reason
}

// TakenOver: this node now owns a call that another node, or the previous run of this
// process, served before. It is the first event of the call here; the usual ones follow.
type TakenOver struct {
	Call
	From string // the name of the node that served it; after a restart, our own
}

// Released: another node now owns a call of this node, or has ended it. The call is no
// longer stored here. Nothing was sent to the peer. No other event follows.
type Released struct {
	Call
	To string // the name of the other node; empty if the call has ended
}

// Unreachable: the peer of a call that was taken over cannot be reached from this node. Its
// connection ended with the former node, and a new one cannot be opened. The call is kept
// until it expires, and refreshed if the peer comes back before that.
type Unreachable struct {
	Call
	Err error // why; never nil
}

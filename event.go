package sessiontimer

import "time"

// Event is one of Negotiated, Refreshed, RefreshFailed, MediaChanged, Expired, Ended
// and, where nodes share calls, TakenOver, Released and Unreachable. Later versions may
// have more.
type Event interface{ Info() Call }

// Call names the dialog and the timer that an event is about.
type Call struct {
	Time      time.Time
	CallID    string
	LocalTag  string
	RemoteTag string
	Interval  time.Duration // Session-Expires in force; 0 without a timer
	Refresher Refresher
}

// Info returns c; every event has it by embedding Call.
func (c Call) Info() Call { return c }

// Negotiated says that the 2xx to the first INVITE settled the dialog's timer, or that
// there is none.
type Negotiated struct{ Call }

// Refreshed says that a later 2xx, to either party's INVITE or UPDATE, restarted or
// changed the timer.
type Refreshed struct {
	Call
	Method string // INVITE or UPDATE
}

// RefreshFailed says that a refresh of ours got no 2xx. The session goes on unless
// Expired follows.
type RefreshFailed struct {
	Call
	Method string // INVITE or UPDATE
	Status int    // the final response; 0 if there was none
	Err    error  // why there was none; nil if there was one
}

// MediaChanged says that the peer's session description changed where the application
// did not see it: in the answer to a refresh of ours, or in the ACK of a re-INVITE that
// the timers answered (RFC 3264 §8). The sender of the media must follow it.
type MediaChanged struct {
	Call
	Description string // the peer's session description, in force from now on
	Type        string // its Content-Type, mostly application/sdp
}

// Expired says that we hang up: no refresh came in time, or one of ours proved
// that the peer is gone. Ended follows, with the same reason.
type Expired struct {
	Call
	Reason Reason
}

// Ended says that the dialog is over and nothing of it is kept.
type Ended struct {
	Call
	Reason Reason
}

// TakenOver says that this node has become the owner of a call that another node
// served, or the process before this one. It is the first event of the call here, and
// others follow as for any other.
type TakenOver struct {
	Call
	From string // the name of the node that served it; our own after a restart
}

// Released says that another node has become the owner of a call, or has ended it.
// Nothing of it is kept here and nothing was sent: for its peer it goes on. No other
// event follows.
type Released struct {
	Call
	To string // the name of the node; empty if the call has ended there
}

// Unreachable says that the peer of a call that was taken over cannot be reached from
// here: its connection ended with its node, and no other is to be had. The call is kept
// until it expires, and refreshed if the peer comes back before.
type Unreachable struct {
	Call
	Err error // why; never nil
}

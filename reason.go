package sessiontimer

import "fmt"

// Reason says why a dialog ended. It is comparable. To count reasons, use Cause.
type Reason struct {
	Cause Cause
	// Status is the status code of the response, for CauseRefreshAnswered; 0 for other
	// causes.
	Status int
}

// String returns the reason in words, as in the Reason header field of our BYE
// (RFC 3326): "Session refresh answered 481".
func (r Reason) String() string {
	if r.Status == 0 {
		return r.Cause.String()
	}
	return fmt.Sprintf("%s %d", r.Cause, r.Status)
}

// MarshalText returns String.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Cause is the kind of a Reason. Later versions may add more.
type Cause uint8

// The causes. For those for which the timers hang up, CauseExpired to CauseDialogClosed
// and CauseTakenOver, the event Expired comes before Ended, except as noted.
const (
	// CauseDeleted is the zero value: other code deleted the dialog from the store.
	CauseDeleted Cause = iota
	// CauseExpired: the party named by Call.Refresher did not refresh in time (RFC 4028
	// §10).
	CauseExpired
	// CauseRefreshAnswered: the response to our refresh means that the dialog or the peer
	// is gone, as 408 and 481 do (RFC 4028 §10, RFC 5057 §5.1).
	CauseRefreshAnswered
	// CauseRefreshUnanswered: our refresh got no response (RFC 4028 §10).
	CauseRefreshUnanswered
	// CauseNoACK: the peer did not acknowledge our 2xx within 64*T1 (RFC 3261 §13.3.1.4,
	// §14.2). If that was the first 2xx of the call, the timers only forget the call, and
	// the application decides whether to hang up.
	CauseNoACK
	// CauseDialogClosed: the application dropped its dialog without a BYE. The timers
	// hang up, with the event Expired, only if they notice at one of our own refreshes.
	CauseDialogClosed
	// CauseHungUp: the application sent a BYE.
	CauseHungUp
	// CausePeerHungUp: the peer sent a BYE.
	CausePeerHungUp
	// CauseTakenOver: the node that served the call died, and failover.WithTakeover says
	// to hang up.
	CauseTakenOver
)

var causeTexts = [...]string{
	CauseDeleted:           "Deleted from the store",
	CauseExpired:           "Session timer expired",
	CauseRefreshAnswered:   "Session refresh answered",
	CauseRefreshUnanswered: "Session refresh failed",
	CauseNoACK:             "No ACK received",
	CauseDialogClosed:      "Dialog closed",
	CauseHungUp:            "Hung up",
	CausePeerHungUp:        "Peer hung up",
	CauseTakenOver:         "Node of the call died",
}

// String returns the cause in words: "Session timer expired".
func (c Cause) String() string { return nameOf(causeTexts[:], int(c)) }

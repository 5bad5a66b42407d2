package sessiontimer

import "fmt"

// Reason says why a dialog ended, with or without a BYE of ours. It is
// comparable; count by its Cause.
type Reason struct {
	Cause Cause
	// Status is that of the response which proved the end, with
	// CauseRefreshAnswered; else 0.
	Status int
}

// String is the reason in plain words, as the Reason header field of our BYE
// has it (RFC 3326): "Session refresh answered 481".
func (r Reason) String() string {
	if r.Status == 0 {
		return r.Cause.String()
	}
	return fmt.Sprintf("%s %d", r.Cause, r.Status)
}

// MarshalText returns the words of String.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Cause is the kind of a Reason. There may be more in later versions.
type Cause uint8

// The causes. Where we hang up, from CauseExpired to CauseDialogClosed, Expired
// is told before Ended.
const (
	// CauseDeleted is the zero value: other code deleted the dialog from the store.
	CauseDeleted Cause = iota
	// CauseExpired: no refresh succeeded in time, of the party that
	// Call.Refresher names (RFC 4028 §10).
	CauseExpired
	// CauseRefreshAnswered: the response to a refresh of ours says that the
	// dialog or the peer is gone, as 408 and 481 do (RFC 4028 §10, RFC 5057 §5.1).
	CauseRefreshAnswered
	// CauseRefreshUnanswered: nothing answered a refresh of ours (RFC 4028 §10).
	CauseRefreshUnanswered
	// CauseNoACK: the peer did not acknowledge our 2xx within 64*T1 (RFC 3261
	// §13.3.1.4, §14.2). If it was the first, the timers have forgotten the call,
	// and whether to hang up is left to the application.
	CauseNoACK
	// CauseDialogClosed: the application dropped its dialog without a BYE. Expired
	// is told only where this is noticed by a refresh of ours, which hangs up.
	CauseDialogClosed
	// CauseHungUp: the application sent a BYE.
	CauseHungUp
	// CausePeerHungUp: the peer sent a BYE.
	CausePeerHungUp
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
}

// String is the cause in plain words: "Session timer expired".
func (c Cause) String() string { return nameOf(causeTexts[:], int(c)) }

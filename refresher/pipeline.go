package refresher

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Pipeline sends what the scheduler decides on. Its methods are called by many
// goroutines at once. End may be called for a dialog of which a Refresh has not
// returned yet.
type Pipeline interface {
	// Refresh sends one request that refreshes the session, built from the dialog
	// as it is stored by then, and waits for its final response. What can be
	// answered at once, as a challenge or a 422, is. A 2xx is acknowledged and
	// stored before Refresh returns. When ctx ends the request is given up; a 2xx
	// that comes after the deadline of ctx still counts.
	Refresh(ctx context.Context, id dialogstore.ID, a Attempt) Outcome

	// End ends the application's dialog and deletes it from the store. The BYE is
	// sent by the function it returns, which has a place among Limits and may have
	// to wait for it; nil if there is none to send. It returns when the BYE is on
	// its way or cannot be, and does not wait for the answer. End does nothing if
	// the dialog is gone. ErrBusy puts it off.
	End(ctx context.Context, id dialogstore.ID, s sessiontimer.Session, reason sessiontimer.Reason) (bye func(context.Context), err error)
}

// Attempt is a refresh that is due.
type Attempt struct {
	Session sessiontimer.Session // ErrSuperseded if another one is stored
	Method  sessiontimer.Method  // MethodAuto for what suits the dialog
	// Last: no other attempt follows. Before that, an UPDATE that nobody answers is
	// given up in time for a re-INVITE, if one is possible.
	Last bool
	// UpdateRefused: the peer has refused this session's UPDATEs. If it now accepts
	// a re-INVITE, the dialog is stored with NoUpdate.
	UpdateRefused bool
}

// Outcome is what came of an Attempt.
type Outcome struct {
	Method      sessiontimer.Method // what was sent, or would have been
	Alternative bool                // the other method is possible in this dialog
	OwnsCallID  bool                // we own its Call-ID (RFC 3261 §14.1)
	Status      int                 // of the final response; 0 if there was none
	RetryAfter  time.Duration       // that it asks for; 0 for none
	Err         error               // why there was none
}

// Errors of a Pipeline, possibly wrapped. Any other error of a refresh is a passing
// failure of the transport.
var (
	// ErrBusy: another request under way may make this one unnecessary. It is tried
	// again a second later.
	ErrBusy = errors.New("refresher: dialog is busy")
	// ErrGone: the application has dropped the dialog without ending it. The call is
	// hung up.
	ErrGone = errors.New("refresher: the application has dropped the dialog")
	// ErrSuperseded: the session was refreshed or changed meanwhile.
	ErrSuperseded = errors.New("refresher: refreshed meanwhile")
	// ErrUnanswered: there was no final response for as long as a transaction lives.
	ErrUnanswered = errors.New("refresher: no answer")
	// ErrGivenUp: there was none to an UPDATE, and there is time for a re-INVITE.
	ErrGivenUp = errors.New("refresher: no answer to UPDATE")
	// ErrTooLong: a request of this method does not fit a datagram.
	ErrTooLong = errors.New("refresher: too long for a datagram")
)

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
	// Refresh sends one request that refreshes the session, built from the stored
	// dialog, and waits for its final response. It repeats the request at once after a
	// response that allows it, such as a challenge or a 422. A 2xx is acknowledged and
	// stored before Refresh returns. When ctx ends the request is abandoned; a 2xx that
	// arrives after the deadline of ctx still counts.
	Refresh(ctx context.Context, id dialogstore.ID, a Attempt) Outcome

	// End ends the application's dialog and deletes it from the store. It does
	// nothing if the dialog is gone. ErrBusy postpones it. The returned function
	// sends the BYE, once Limits allow; nil means that there is none to send. That
	// function returns when the BYE has been sent or cannot be, without waiting for
	// the response.
	End(ctx context.Context, id dialogstore.ID, s sessiontimer.Session, reason sessiontimer.Reason) (bye func(context.Context), err error)
}

// Attempt is a refresh that is due.
type Attempt struct {
	Session sessiontimer.Session // ErrSuperseded if another one is stored
	Method  sessiontimer.Method  // MethodAuto leaves the choice to the Pipeline
	// Last: no other attempt follows. An earlier UPDATE that nobody answers is given
	// up in time for a re-INVITE, if one is possible.
	Last bool
	// UpdateRefused: the peer refused UPDATEs for this session. If it now accepts a
	// re-INVITE, the dialog is stored with NoUpdate.
	UpdateRefused bool
	// Cancel ends the context of the attempt. It is called if the dialog ends meanwhile.
	Cancel context.CancelFunc
}

// Outcome is the result of an Attempt.
type Outcome struct {
	Method      sessiontimer.Method // that was sent, or would have been
	Alternative bool                // the other method is possible in this dialog
	OwnsCallID  bool                // we chose the Call-ID (RFC 3261 §14.1)
	Status      int                 // of the final response; 0 if there was none
	RetryAfter  time.Duration       // from a refusal; 0 for none
	Err         error               // why there was no response
}

// Errors of a Pipeline, possibly wrapped. Any other error of a refresh counts as a
// temporary failure of the transport.
var (
	// ErrBusy: another request in progress may make this one unnecessary. The refresh is
	// tried again a second later.
	ErrBusy = errors.New("refresher: dialog is busy")
	// ErrGone: the application has dropped the dialog without ending it. The call is
	// hung up.
	ErrGone = errors.New("refresher: the application has dropped the dialog")
	// ErrSuperseded: the session was refreshed or changed meanwhile.
	ErrSuperseded = errors.New("refresher: the session was refreshed or changed meanwhile")
	// ErrUnanswered: there was no final response within the lifetime of a transaction.
	ErrUnanswered = errors.New("refresher: the peer did not answer")
	// ErrGivenUp: an UPDATE got no final response, and there is time for a re-INVITE.
	ErrGivenUp = errors.New("refresher: the peer did not answer the UPDATE")
	// ErrTooLong: a request of this method does not fit a datagram.
	ErrTooLong = errors.New("refresher: the request is too long for a datagram")
)

package refresher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// verdict is what follows from an attempt.
type verdict uint8

const (
	done     verdict = iota // refreshed or cancelled: the change of the dialog schedules what follows
	vanished                // the dialog is no longer in the store
	gone                    // the application has dropped the dialog: hang up
	busy                    // again in a second, not counted as an attempt

	keep    // no more attempts; the session lives until it expires
	end     // the peer, or its session, is gone: hang up now
	later   // again after Retry-After or a growing pause
	glare   // again after the random pause of RFC 3261 §14.1
	other   // the other method, at once
	reverse // like other, and no more UPDATEs in this dialog
)

// failed reports whether the peer or the transport has failed.
func (v verdict) failed() bool { return v >= keep }

// failures maps the response to a refresh to its verdict (RFC 4028 §10, RFC 3261 §12.2.1.2
// and §14.1, RFC 5057 §5.3). A 2xx means done, and any other response that is not listed
// means later. The pipeline has already retried after 401, 407 and 422 as far as it can.
var failures = []struct {
	status         int
	update, invite verdict
}{
	{400, other, other},
	{401, keep, keep},
	{404, end, end},
	{405, reverse, end},
	{406, other, other},
	{407, keep, keep},
	{408, end, end},
	{410, end, end},
	{413, other, other},
	{415, other, other},
	{416, end, end},
	{422, keep, keep},
	{480, end, end},
	{481, end, end},
	{482, end, end},
	{483, end, end},
	{484, end, end},
	{485, end, end},
	{488, other, other},
	{491, glare, glare},
	{501, reverse, end},
	{502, end, end},
	{604, end, end},
	{606, other, other},
}

// silences maps the error of an attempt without a response to its verdict.
var silences = []struct {
	err            error
	update, invite verdict
}{
	{dialogstore.ErrNotFound, vanished, vanished},
	{ErrSuperseded, done, done},
	{context.Canceled, done, done}, // its dialog ends
	{ErrGone, gone, gone},
	{ErrBusy, busy, busy},
	{ErrGivenUp, reverse, end},
	{ErrUnanswered, end, end},  // RFC 4028 §10: like a 408
	{ErrTooLong, later, other}, // an UPDATE has no body and may fit
}

// judge returns what follows from an attempt.
func judge(o Outcome) verdict {
	invite := o.Method == sessiontimer.MethodReInvite
	if o.Err != nil {
		for _, f := range silences {
			if errors.Is(o.Err, f.err) {
				return choose(invite, f.invite, f.update)
			}
		}
		return later // the transport failed, not the dialog
	}
	for _, f := range failures {
		if f.status == o.Status {
			return choose(invite, f.invite, f.update)
		}
	}
	if o.Status/100 == 2 {
		return done
	}
	return later
}

// Unsent reports whether an error of a Pipeline is a temporary failure of the transport,
// from which nothing follows about the peer.
func Unsent(err error) bool {
	return err != nil && !errors.Is(err, ErrTooLong) && judge(Outcome{Err: err}) == later
}

// Failed reports whether the peer or the transport has failed in an attempt.
func Failed(o Outcome) bool { return judge(o).failed() }

// FollowUp returns how to follow up an attempt that the scheduler did not make: the method of
// the next attempt, and the shortest pause before it. ok is false if no other attempt can
// help.
func FollowUp(o Outcome) (next sessiontimer.Method, wait time.Duration, ok bool) {
	switch v := judge(o); v {
	case done, vanished, gone, keep:
		return 0, 0, false
	case other, reverse:
		return otherMethod(o.Method), 0, o.Alternative
	case glare:
		return o.Method, glarePause(o.OwnsCallID), true
	case end:
		return o.Method, busyPause, o.Status == 0 // the peer may be coming back
	}
	return o.Method, max(busyPause, min(o.RetryAfter, longestRetryAfter)), true
}

// longestRetryAfter bounds the Retry-After that FollowUp honours.
const longestRetryAfter = 30 * time.Second

func choose(invite bool, a, b verdict) verdict {
	if invite {
		return a
	}
	return b
}

// errStalled means that a refresh ran out of time while the process was stalled. The
// response may have arrived.
var errStalled = fmt.Errorf("%w: the process was stalled", ErrBusy)

func timeIsUp(err error) bool {
	return errors.Is(err, ErrUnanswered) || errors.Is(err, ErrGivenUp) || errors.Is(err, context.DeadlineExceeded)
}

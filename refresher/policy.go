package refresher

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// maxAttempts bounds the refreshes that are tried for one session; RFC 4028 §10
// asks not to repeat a request that keeps failing.
const maxAttempts = 3

// verdict is what a failed refresh leads to.
type verdict uint8

const (
	keep    verdict = iota // try no more; the session lives until it expires
	end                    // the peer, or its session, is gone: hang up now
	later                  // again after Retry-After or a growing pause
	glare                  // again after the random pause of RFC 3261 §14.1
	other                  // the other method, at once
	reverse                // as other, and never an UPDATE again in this dialog
)

// failures is what an answer to a refresh means (RFC 4028 §10, RFC 3261 §12.2.1.2
// and §14.1, RFC 5057 §5.3). What is not listed is later for 5xx and 6xx, keep
// for 401, 407 and 422, which the pipeline has answered as far as it can, and
// later for the rest.
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

// errStalled says that time was up for a refresh while the process stood still. Its
// answer may have come.
var errStalled = fmt.Errorf("%w: the process was stalled", ErrBusy)

func timeIsUp(err error) bool {
	return errors.Is(err, ErrUnanswered) || errors.Is(err, ErrGivenUp) || errors.Is(err, context.DeadlineExceeded)
}

// judge says what a refresh that failed leads to.
func judge(o Outcome) verdict {
	if o.Status == 0 {
		switch {
		case errors.Is(o.Err, ErrGivenUp):
			return reverse
		case errors.Is(o.Err, ErrUnanswered):
			return end // RFC 4028 §10: no answer at all is an answer
		case errors.Is(o.Err, ErrTooLong) && o.Method == sessiontimer.MethodReInvite:
			return other // it stays too long for a datagram; an UPDATE has no body
		}
		return later // the transport failed, not the dialog
	}
	for _, f := range failures {
		if f.status == o.Status {
			if o.Method == sessiontimer.MethodReInvite {
				return f.invite
			}
			return f.update
		}
	}
	return later
}

// pause is how long to wait before attempt n+1, n having failed, so that it is
// made by lastChance. It is negative if there is no time left.
func pause(v verdict, n int, o Outcome, now, lastChance time.Time) time.Duration {
	window := lastChance.Sub(now)
	if window < 0 {
		return -1
	}
	switch v {
	case other, reverse:
		return 0
	case glare:
		return lastingPause(glarePause(o.OwnsCallID), n, window)
	}
	if o.RetryAfter > 0 {
		return lastingPause(o.RetryAfter, n, window)
	}
	return lastingPause(min(5*time.Second, window/2), n, window)
}

// lastingPause keeps the last attempt for late in the window: what makes an
// early one fail again has a chance to pass.
func lastingPause(d time.Duration, n int, window time.Duration) time.Duration {
	if n > 1 {
		d = max(d, window/2)
	}
	return min(d, window)
}

// glarePause is 2.1 to 4 s for the owner of the Call-ID and up to 2 s for the
// other party, in steps of 10 ms (RFC 3261 §14.1).
func glarePause(ownsCallID bool) time.Duration {
	if ownsCallID {
		return 2100*time.Millisecond + time.Duration(rand.IntN(191))*10*time.Millisecond
	}
	return time.Duration(rand.IntN(201)) * 10 * time.Millisecond
}

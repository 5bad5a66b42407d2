package refresher

import (
	"math/rand/v2"
	"time"
)

// pause returns how long to wait after the failed attempt n, so that the next one is made
// by lastChance. It is negative if there is no time left.
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

// lastingPause puts the last attempt late in the window, so that the cause of the
// failure has time to pass.
func lastingPause(d time.Duration, n int, window time.Duration) time.Duration {
	if n > 1 {
		d = max(d, window/2)
	}
	return min(d, window)
}

// glarePause returns 2.1 to 4 s for the owner of the Call-ID and up to 2 s for the
// other party, in steps of 10 ms (RFC 3261 §14.1).
func glarePause(ownsCallID bool) time.Duration {
	if ownsCallID {
		return 2100*time.Millisecond + time.Duration(rand.IntN(191))*10*time.Millisecond
	}
	return time.Duration(rand.IntN(201)) * 10 * time.Millisecond
}

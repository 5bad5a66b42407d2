package ownership

import (
	"sync/atomic"
	"time"
)

// lease is this node's own: while its last good beat is young nobody can have taken it
// for dead.
type lease struct {
	length  time.Duration
	sent    atomic.Pointer[time.Time] // when the last good beat was sent; nil without one
	suspect atomic.Bool               // others may claim calls of ours: we were buried
}

// good reports whether the last good beat, counted from before it was sent, is younger
// than the lease.
func (l *lease) good(now time.Time) bool {
	sent := l.sent.Load()
	return sent != nil && !l.suspect.Load() && elapsed(*sent, now) < l.length
}

func (l *lease) renew(sent time.Time) { l.sent.Store(&sent) }

// elapsed is the time from one reading of the clocks to the next, by the clock that says
// more: a machine that sleeps stops the monotonic one, and the wall clock may be set.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

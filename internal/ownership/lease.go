package ownership

import (
	"sync/atomic"
	"time"
)

// lease is this node's own: while its last good beat is young nobody can have taken it
// for dead.
type lease struct {
	length  time.Duration
	sent    atomic.Pointer[reading] // when the last good beat was; nil without one
	suspect atomic.Bool             // others may claim calls of ours: we were buried
}

// reading is one of both clocks. A machine that sleeps stops the monotonic one, and
// somebody may set the wall clock.
type reading struct{ at, wall time.Time }

func read(now time.Time) reading { return reading{now, now.Round(0)} }

// age is the time since, by the clock that says more.
func (r *reading) age(now time.Time) time.Duration {
	return max(now.Sub(r.at), now.Round(0).Sub(r.wall))
}

// renew takes in that a beat was good.
func (l *lease) renew(sent time.Time) {
	r := read(sent)
	l.sent.Store(&r)
}

// good reports whether the last good beat, counted from before it was sent, is younger
// than the lease.
func (l *lease) good(now time.Time) bool {
	sent := l.sent.Load()
	return sent != nil && !l.suspect.Load() && sent.age(now) < l.length
}

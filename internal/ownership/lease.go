package ownership

import (
	"sync/atomic"
	"time"
)

// lease is the lease of this node. While the last good beat is younger than the lease, no
// other node can consider this one dead.
type lease struct {
	length  time.Duration
	sent    atomic.Pointer[reading] // when the last good beat was sent; nil before the first
	suspect atomic.Bool             // we were buried, so others may be claiming our calls
}

// reading is a reading of both clocks: the monotonic one stops while the machine sleeps, and
// the wall clock may be set.
type reading struct{ at, wall time.Time }

func read(now time.Time) reading { return reading{now, now.Round(0)} }

// age returns the time since the reading, by the clock that shows more.
func (r *reading) age(now time.Time) time.Duration {
	return max(now.Sub(r.at), now.Round(0).Sub(r.wall))
}

// renew notes that the beat sent at the given time was good.
func (l *lease) renew(sent time.Time) {
	r := read(sent)
	l.sent.Store(&r)
}

// good reports whether the last good beat was sent less than a lease ago, and we were not
// buried.
func (l *lease) good(now time.Time) bool {
	sent := l.sent.Load()
	return sent != nil && !l.suspect.Load() && sent.age(now) < l.length
}

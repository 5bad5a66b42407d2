// Package stall notices that the process stood still: it was stopped, its machine
// paused, its memory collected for long. What was due meanwhile comes late, and so
// does what peers have sent: it lies in the sockets. Whoever gives a peer up waits
// until that has been read.
package stall

import "time"

const (
	// Least is how long a stall is that counts; no load makes a timer so late.
	Least = time.Second
	// Settling is how long it may take until what lies in the sockets has been read
	// and done.
	Settling = 2 * time.Second
)

// Late reports whether a timer that was due goes off so late at now that it was
// stalled. The zero due is no timer.
func Late(due, now time.Time) bool { return !due.IsZero() && now.Sub(due) > Least }

// Watch notices stalls. The zero Watch is ready for use, by one goroutine at a time.
type Watch struct {
	seen time.Time // when it was looked last
	wall time.Time // by the wall clock
	last time.Time // when a stall was noticed last
}

// Look looks at now, where due is the timer that should go off next. A machine that
// sleeps stops the monotonic clock, and with it every timer: the wall clock tells.
// That somebody has set it looks the same, and costs no more than a little patience.
func (w *Watch) Look(due, now time.Time) {
	wall := now.Round(0)
	slept := !w.seen.IsZero() && wall.Sub(w.wall)-now.Sub(w.seen) > Least
	if slept || Late(due, now) {
		w.last = now
	}
	w.seen, w.wall = now, wall
}

// Since reports whether a stall was noticed since begin.
func (w *Watch) Since(begin time.Time) bool { return w.last.After(begin) }

// Settled is when what came during the last stall has been read; zero if there was
// none.
func (w *Watch) Settled() time.Time {
	if w.last.IsZero() {
		return time.Time{}
	}
	return w.last.Add(Settling)
}

// Package stall detects that the process stood still: it was stopped, its machine was
// paused, or a garbage collection took long. Timers fire late after that, and messages
// of peers are still unread in the sockets. Code that is about to give up a peer waits
// until they have been read.
package stall

import "time"

const (
	// Least is the shortest stall that counts. Load alone delays no timer so much.
	Least = time.Second
	// Settling is how long it may take to read and handle what is in the sockets.
	Settling = 2 * time.Second
)

// Late reports whether a timer that was due fires so late at now that there was a stall.
// The zero due means no timer.
func Late(due, now time.Time) bool { return !due.IsZero() && now.Sub(due) > Least }

// Watch detects stalls. The zero Watch is ready for use, by one goroutine at a time.
type Watch struct {
	seen time.Time // the last Look
	wall time.Time // the same by the wall clock
	last time.Time // when a stall was last detected
}

// Look checks for a stall at now, where due is the timer that should fire next. A machine
// that sleeps stops the monotonic clock and every timer with it; only the wall clock
// shows that. A wall clock that was set looks the same, which costs a short wait.
func (w *Watch) Look(due, now time.Time) {
	wall := now.Round(0)
	slept := !w.seen.IsZero() && wall.Sub(w.wall)-now.Sub(w.seen) > Least
	if slept || Late(due, now) {
		w.last = now
	}
	w.seen, w.wall = now, wall
}

// Since reports whether a stall was detected since begin.
func (w *Watch) Since(begin time.Time) bool { return w.last.After(begin) }

// Settled returns when the messages of the last stall have been read; zero if there was
// no stall.
func (w *Watch) Settled() time.Time {
	if w.last.IsZero() {
		return time.Time{}
	}
	return w.last.Add(Settling)
}

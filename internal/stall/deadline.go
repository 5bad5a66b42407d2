package stall

import "time"

// Deadline is a timer that allows for stalls: if the process stood still when it was due, it
// waits until the messages that arrived meanwhile have been read.
type Deadline struct {
	C     <-chan time.Time
	timer *time.Timer
	due   time.Time
}

// NewDeadline returns a Deadline that fires after d. It must be used by one goroutine only.
func NewDeadline(d time.Duration) *Deadline {
	timer := time.NewTimer(d)
	return &Deadline{C: timer.C, timer: timer, due: time.Now().Add(d)}
}

// Over is called after C has fired, and reports whether the time is really up. If not, C
// fires again.
func (d *Deadline) Over(now time.Time) bool {
	if !Late(d.due, now) {
		return true
	}
	d.due = now.Add(Settling)
	d.timer.Reset(Settling)
	return false
}

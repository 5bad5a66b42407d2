package stall

import "time"

// Deadline fires after a time, unless the process stood still just then: it waits on
// until what came meanwhile has been read.
type Deadline struct {
	C     <-chan time.Time
	timer *time.Timer
	due   time.Time
}

// NewDeadline makes one that fires after d. It is for one goroutine.
func NewDeadline(d time.Duration) *Deadline {
	timer := time.NewTimer(d)
	return &Deadline{C: timer.C, timer: timer, due: time.Now().Add(d)}
}

// Over reports whether the time is up, after C has fired. Otherwise C fires again.
func (d *Deadline) Over(now time.Time) bool {
	if !Late(d.due, now) {
		return true
	}
	d.due = now.Add(Settling)
	d.timer.Reset(Settling)
	return false
}

// Stop has C never fire again.
func (d *Deadline) Stop() { d.timer.Stop() }

package dialogset

import (
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/stall"
)

// Patient reports whether the process was stalled when the peer's proof was due, and
// waits on until it has been read.
func (d *Dialog) Patient(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.forget == nil || !stall.Late(d.due, now) {
		return false
	}
	d.due = now.Add(stall.Settling)
	d.forget.Reset(stall.Settling)
	return true
}

// Unproved reports whether the peer has not proved to be there. A process before this
// one leaves no such dialog.
func (d *Dialog) Unproved() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.forget != nil
}

// Proved notes that nothing is left to be proved, and reports whether something was.
func (d *Dialog) Proved() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.forget == nil {
		return false
	}
	d.forget.Stop()
	d.forget = nil
	return true
}

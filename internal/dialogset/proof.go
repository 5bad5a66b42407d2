package dialogset

import (
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/stall"
)

// Patient is called when the peer's proof is overdue. If the process was stalled, the proof
// may have arrived and not been read yet: Patient then restarts the timer and returns true.
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

// Unproved reports whether the peer has not yet proved that it is there. A dialog that was
// resumed from the store counts as proved.
func (d *Dialog) Unproved() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.forget != nil
}

// Proved notes that the peer has proved that it is there, and reports whether that is new.
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

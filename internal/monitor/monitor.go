// Package monitor provides a mutex on which goroutines can wait for a change.
package monitor

import (
	"context"
	"sync"
)

// Monitor is a mutex whose holder can signal a change of the guarded state. The zero
// Monitor is ready for use.
type Monitor struct {
	sync.Mutex
	changed chan struct{} // made by the first waiter, closed by Signal
}

// Signal wakes all waiters. The lock is held.
func (m *Monitor) Signal() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// Await waits until ready returns true; ready is called with the lock held. Await
// returns with the lock held, and with ctx's error if ctx ended first.
func (m *Monitor) Await(ctx context.Context, ready func() bool) error {
	m.Lock()
	for !ready() {
		if m.changed == nil {
			m.changed = make(chan struct{})
		}
		changed := m.changed
		m.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			m.Lock()
			return ctx.Err()
		}
		m.Lock()
	}
	return nil
}

// Package monitor is a lock on what others wait to see changed.
package monitor

import (
	"context"
	"sync"
)

// Monitor is a mutex whose holder may signal that what it guards has changed. The
// zero Monitor is ready for use.
type Monitor struct {
	sync.Mutex
	changed chan struct{} // made by whoever waits, closed by whoever changes something
}

// Signal wakes all that wait. The lock is held.
func (m *Monitor) Signal() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// Await waits until ready, which is called with the lock held, returns true. It
// returns with the lock held, and ctx's error if that ended first.
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

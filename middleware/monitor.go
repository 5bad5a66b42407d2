package middleware

import (
	"context"
	"sync"
)

// monitor is a lock on what others may wait to see changed.
type monitor struct {
	sync.Mutex
	changed chan struct{} // made by whoever waits, closed by whoever changes something
}

// signal wakes all that wait. The lock is held.
func (m *monitor) signal() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// await waits until ready, which is called with the lock held, returns true. It
// returns with the lock held, and ctx's error if that ended first.
func (m *monitor) await(ctx context.Context, ready func() bool) error {
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

package refresher

import "testing"

// Stats does not wait for whoever holds the lock of the schedule.
func TestStatsTakesNoLock(t *testing.T) {
	s := New()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.Stats().Due; n != 0 {
		t.Errorf("%d calls are due, want none", n)
	}
}

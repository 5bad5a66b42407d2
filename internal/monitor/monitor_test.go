package monitor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// Await returns at once where all is ready, at the change that makes it so, and with the
// context's error if that ends first. The lock is held after each.
func TestAwait(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var m Monitor
		held := func(when string) {
			t.Helper()
			if m.TryLock() {
				t.Errorf("%s: Await has not locked", when)
			}
			m.Unlock()
		}
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if err := m.Await(ended, func() bool { return true }); err != nil {
			t.Errorf("ready: %v", err)
		}
		held("ready")
		if err := m.Await(ended, func() bool { return false }); !errors.Is(err, context.Canceled) {
			t.Errorf("never ready: %v, want the context's error", err)
		}
		held("never ready")
		m.Lock()
		m.Signal() // of the waiter that has gone
		m.Signal() // of nobody
		m.Unlock()

		n, begun := 0, time.Now()
		var woke [2]time.Duration
		for i := range woke {
			go func() {
				defer m.Unlock()
				if err := m.Await(context.Background(), func() bool { return n > i }); err != nil {
					t.Errorf("waiter %d: %v", i, err)
				}
				woke[i] = time.Since(begun)
			}()
		}
		for range woke {
			time.Sleep(time.Second)
			m.Lock()
			n++
			m.Signal()
			m.Unlock()
			synctest.Wait()
		}
		if woke != [2]time.Duration{time.Second, 2 * time.Second} {
			t.Errorf("the waiters went on at %v, want after 1 s and 2 s", woke)
		}
	})
}

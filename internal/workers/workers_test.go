package workers

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// A worker is used again, and ends when it has had nothing to do for a while.
func TestWorkers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, done := New(), 0
		job := func() { done++ }
		w.Run(job)
		synctest.Wait()
		for range 3 {
			if !w.offer(job) {
				t.Error("no worker waits for the next job")
			}
			time.Sleep(IdleFor - time.Millisecond)
			synctest.Wait()
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if w.offer(job) {
			t.Error("a worker waits for longer than it should")
		}
		if done != 4 {
			t.Errorf("%d jobs were done, want 4", done)
		}
	})
}

// offer hands a job to a worker that waits for one.
func (w *Workers) offer(job func()) bool {
	select {
	case w.jobs <- job:
		return true
	default:
		return false
	}
}

// Jobs under way and later ones are still done after Stop; no worker stays.
func TestStop(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, over, done := New(), make(chan struct{}), make(chan int, 2)
		w.Run(func() { <-over; done <- 1 })
		synctest.Wait()
		w.Stop()
		w.Stop()
		w.Run(func() { done <- 2 })
		synctest.Wait()
		close(over)
		w.Wait()
		if len(done) != 2 {
			t.Errorf("%d jobs were done, want 2", len(done))
		}
	})
}

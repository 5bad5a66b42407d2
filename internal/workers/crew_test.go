package workers

import (
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// WaitFor returns at once when all have ended, and otherwise after its time with the number
// left.
func TestWaitFor(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var c Crew
		start, over := time.Now(), make(chan struct{})
		if left := c.WaitFor(time.Hour); left != 0 || time.Since(start) != 0 {
			t.Errorf("%d left of nobody, after %v", left, time.Since(start))
		}
		c.Go(func() { time.Sleep(time.Second) })
		c.Go(func() { <-over })
		c.Go(func() { <-over })
		if left := c.WaitFor(5 * time.Second); left != 2 || time.Since(start) != 5*time.Second {
			t.Errorf("%d left after %v, want 2 after 5 s", left, time.Since(start))
		}
		time.AfterFunc(time.Second, func() { close(over) })
		if left := c.WaitFor(time.Hour); left != 0 || time.Since(start) != 6*time.Second {
			t.Errorf("%d left after %v, want none after 6 s", left, time.Since(start))
		}
	})
}

package dialogset

import (
	"context"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// Whoever must not overtake a message of ours waits until the effects of all that are being
// sent are committed, or until its context ends.
func TestAwaitCommit(t *testing.T) {
	for _, c := range []struct {
		name    string
		sent    []time.Duration // how long each message takes
		limit   time.Duration
		waited  time.Duration
		pending bool // after that
	}{
		{"nothing is sent", nil, time.Minute, 0, false},
		{"one message", []time.Duration{time.Second}, time.Minute, time.Second, false},
		{"the slower of two", []time.Duration{3 * time.Second, time.Second}, time.Minute, 3 * time.Second, false},
		{"one that takes too long", []time.Duration{time.Hour}, time.Minute, time.Minute, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				var d Dialog
				for _, long := range c.sent {
					d.HandOver()
					time.AfterFunc(long, d.HandedOver)
				}
				if got := d.Uncommitted(); got != (c.waited > 0) {
					t.Errorf("uncommitted: %t before", got)
				}
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				begun := time.Now()
				if d.AwaitCommit(ctx); time.Since(begun) != c.waited {
					t.Errorf("waited %v, want %v", time.Since(begun), c.waited)
				}
				if got := d.Uncommitted(); got != c.pending {
					t.Errorf("uncommitted: %t after that, want %t", got, c.pending)
				}
			})
		})
	}
}

package stall

import (
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// A Deadline that fires in time is over. One that fires late after a stall fires once
// more, when what came meanwhile has been read, and then it is over.
func TestDeadline(t *testing.T) {
	for _, c := range []struct {
		name string
		late time.Duration // the stall when it fires
		want time.Duration
	}{
		{"in time", 0, time.Minute},
		{"a busy machine", Least, time.Minute},
		{"stopped", time.Hour, time.Minute + Settling},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				start := time.Now()
				d := NewDeadline(time.Minute)
				// The clock of a bubble goes on while the process stands still: what was due
				// moves back instead.
				d.due = d.due.Add(-c.late)
				for over := false; !over; {
					select {
					case now := <-d.C:
						over = d.Over(now)
					case <-time.After(time.Hour):
						t.Fatal("it never fires again")
					}
				}
				if got := time.Since(start); got != c.want {
					t.Errorf("over after %v, want %v", got, c.want)
				}
			})
		})
	}
}

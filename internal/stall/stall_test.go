package stall

import (
	"testing"
	"time"
)

func TestLate(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		due  time.Time
		want bool
	}{
		{time.Time{}, false},
		{now.Add(time.Hour), false},
		{now, false},
		{now.Add(-Least), false},
		{now.Add(-Least - 1), true},
	} {
		if got := Late(c.due, now); got != c.want {
			t.Errorf("a timer of %v is late: %v, should be %v", c.due.Sub(now), got, c.want)
		}
	}
}

// A stall shows in either clock: a timer is late, or the wall clock went on while the monotonic
// clock stood still.
func TestWatch(t *testing.T) {
	start := time.Now()
	for _, c := range []struct {
		name        string
		due         time.Duration // after start; 0 for none
		later, wall time.Duration // from the first look to the second, by either clock
		want        bool
	}{
		{"nothing due", 0, time.Hour, time.Hour, false},
		{"in time", time.Minute, time.Minute, time.Minute, false},
		{"before it is due", time.Hour, time.Minute, time.Minute, false},
		{"late as on a busy machine", time.Minute, 61 * time.Second, 61 * time.Second, false},
		{"stopped", time.Minute, 62 * time.Second, 62 * time.Second, true},
		{"asleep", time.Hour, time.Minute, 62 * time.Second, true},
		{"the clock is set back", time.Hour, time.Minute, -time.Hour, false},
		{"the clock drifts", time.Hour, time.Hour, time.Hour + Least, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w Watch
			w.Look(time.Time{}, start)
			// No time has clocks that disagree, so it is the first look that does.
			w.wall = w.wall.Add(c.later - c.wall)
			var due time.Time
			if c.due > 0 {
				due = start.Add(c.due)
			}
			now := start.Add(c.later)
			w.Look(due, now)
			if got := w.Since(start); got != c.want {
				t.Errorf("noticed: %v, should be %v", got, c.want)
			}
			if got := w.Settled(); c.want && !got.Equal(now.Add(Settling)) || !c.want && !got.IsZero() {
				t.Errorf("settled at %v, %v after the look", got, got.Sub(now))
			}
		})
	}
}

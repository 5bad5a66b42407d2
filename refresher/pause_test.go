package refresher

import (
	"testing"
	"time"
)

// The pause after a failed attempt: none before the other method, as long as Retry-After
// says, otherwise 5 s or half of what is left; the last attempt is late, but in time.
func TestPause(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name   string
		v      verdict
		n      int
		retry  time.Duration
		window time.Duration // until the last chance
		want   time.Duration
	}{
		{"first", later, 1, 0, time.Minute, 5 * time.Second},
		{"first, little time", later, 1, 0, 8 * time.Second, 4 * time.Second},
		{"second", later, 2, 0, time.Minute, 30 * time.Second},
		{"Retry-After", later, 1, 7 * time.Second, time.Minute, 7 * time.Second},
		{"short Retry-After", later, 1, 1, time.Minute, 1},
		{"long Retry-After", later, 1, time.Hour, time.Minute, time.Minute},
		{"Retry-After of the second", later, 2, 7 * time.Second, time.Minute, 30 * time.Second},
		{"long Retry-After of the second", later, 2, 40 * time.Second, time.Minute, 40 * time.Second},
		{"the other method", other, 2, 7 * time.Second, time.Minute, 0},
		{"no more UPDATEs", reverse, 2, 7 * time.Second, time.Minute, 0},
		{"glare of the second", glare, 2, 7 * time.Second, time.Minute, 30 * time.Second},
		{"glare at the last moment", glare, 2, 0, 0, 0},
		{"the last moment", later, 1, 0, 0, 0},
		{"too late", later, 1, 0, -1, -1},
		{"too late for the other method", other, 1, 0, -1, -1},
	} {
		if got := pause(c.v, c.n, Outcome{RetryAfter: c.retry}, now, now.Add(c.window)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// RFC 3261 §14.1: the whole range of the pause after glare is used, in steps of 10 ms.
func TestGlarePauses(t *testing.T) {
	for owner, want := range map[bool][2]time.Duration{true: {2100 * time.Millisecond, 4 * time.Second}, false: {0, 2 * time.Second}} {
		least, most := time.Hour, time.Duration(-1)
		for range 50_000 {
			d := glarePause(owner)
			least, most = min(least, d), max(most, d)
			if d%(10*time.Millisecond) != 0 {
				t.Fatalf("owner %v: %v, want a step of 10 ms", owner, d)
			}
		}
		if least != want[0] || most != want[1] {
			t.Errorf("owner %v: %v to %v, want %v to %v", owner, least, most, want[0], want[1])
		}
	}
}

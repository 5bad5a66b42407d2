package refresher

import (
	"slices"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// Stats does not wait for whoever holds the lock of the schedule.
func TestStatsTakesNoLock(t *testing.T) {
	s := New()
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.Stats().Due; n != 0 {
		t.Errorf("%d calls are due, want none", n)
	}
}

// Each duration is counted once, at the first bound that it does not exceed.
func TestHistograms(t *testing.T) {
	s := New()
	defer s.Close()
	session := sessiontimer.Session{Interval: 90 * time.Second, Refresher: sessiontimer.Local, Since: time.Now()}
	begin := session.Since.Add(45 * time.Second)
	for _, o := range []Outcome{{Status: 200}, {Status: 500}, {}, {Status: 199}, {Status: 300}} {
		s.figures.answered(session, o, begin, begin.Add(time.Second))
	}
	stats := s.Stats()
	for _, c := range []struct {
		name   string
		h      Histogram
		bounds []time.Duration // ms
		count  uint64
		sum    time.Duration
		at     time.Duration // the bound of all
	}{
		{"duration", stats.Duration, []time.Duration{5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 32_000}, 4, 4 * time.Second, time.Second},
		{"lateness", stats.Lateness, []time.Duration{1, 5, 10, 25, 50, 100, 250, 500, 1000, 5000, 10_000, 30_000, 60_000}, 0, 0, 0},
		{"slack", stats.Slack, []time.Duration{0, 1000, 2000, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000}, 1, 11 * time.Second, 30 * time.Second},
	} {
		b := c.h.Bounds
		if !slices.EqualFunc(b, c.bounds, func(got, ms time.Duration) bool { return got == ms*time.Millisecond }) {
			t.Errorf("%s: bounds %v, want these milliseconds: %d", c.name, b, c.bounds)
		}
		if c.h.Count() != c.count || c.h.Sum != c.sum || len(c.h.Counts) != len(b)+1 {
			t.Errorf("%s: %d of %v in all, want %d of %v", c.name, c.h.Count(), c.h.Sum, c.count, c.sum)
		}
		if i := slices.Index(b, c.at); c.count > 0 && c.h.Counts[i] != c.count {
			t.Errorf("%s: %v, want all at the bound %v", c.name, c.h.Counts, c.at)
		}
	}
}

// What is forgotten is not counted any more: missed refreshes by Retire, BYEs by Close.
func TestFiguresOfTheForgotten(t *testing.T) {
	s := New()
	s.figures.missed.Store(2)
	s.figures.byes.Store(3)
	s.due.many.Store(4)
	s.ready.many.Store(5)
	want := func(when string, want [4]int) {
		t.Helper()
		if f := s.Stats(); [4]int{f.Due, f.Waiting, f.Missed, f.Byes} != want {
			t.Errorf("%s: due, waiting, missed and BYEs are %+v, want %v", when, f, want)
		}
	}
	want("before", [4]int{2, 3, 2, 3})
	s.Retire()
	want("retired", [4]int{0, 0, 0, 3})
	s.Close()
	want("closed", [4]int{})
}

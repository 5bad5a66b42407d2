package refresher

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Places that are dead do not pile up behind one that is far.
func TestQueueForgetsTheDead(t *testing.T) {
	base := time.Now()
	q := queue{base: base, due: func(s *schedule) time.Time { return s.at }}
	for i := range 100_000 {
		s := &schedule{at: base.Add(time.Hour + time.Duration(i%7)*time.Minute)}
		if q.add(s); i%100 > 0 {
			s.in = nil
		}
	}
	if len(q.all) > 2500 {
		t.Errorf("%d places for 1000 schedules", len(q.all))
	}
	n, last := 0, base
	for ; ; n++ {
		s := q.first()
		if s == nil && n == 1000 {
			return
		}
		if s == nil || s.at.Before(last) {
			t.Fatalf("after %d the first is %v, want 1000 in their order", n, s)
		}
		last = s.at
		q.take()
	}
}

// Whatever is put in, put off, put forward and called off, what comes first is
// what is due first by now.
func TestQueueOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := time.Unix(1_000_000_000, 0)
		q := queue{base: base, due: func(s *schedule) time.Time { return s.at }}
		schedules := make([]*schedule, 8)
		for i := range schedules {
			schedules[i] = &schedule{}
		}
		earliest := func() time.Time {
			var times []time.Time
			for _, s := range schedules {
				if s.in != nil {
					times = append(times, s.at)
				}
			}
			if len(times) == 0 {
				return time.Time{}
			}
			return slices.MinFunc(times, time.Time.Compare)
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s := schedules[rapid.IntRange(0, len(schedules)-1).Draw(t, "schedule")]
			switch rapid.SampledFrom([]string{"add", "add", "call off", "take"}).Draw(t, "step") {
			case "add":
				s.at = base.Add(time.Duration(rapid.IntRange(-5, 20).Draw(t, "second")) * time.Second)
				q.add(s)
			case "call off":
				s.in = nil
			case "take":
				if q.first() != nil {
					q.take()
				}
			}
			first, want := q.first(), earliest()
			switch {
			case first == nil && want.IsZero():
			case first == nil || want.IsZero() || first.in != &q || !first.at.Equal(want):
				t.Fatalf("first is %+v, want one of %v", first, want)
			}
		}
	})
}

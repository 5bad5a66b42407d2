package refresher

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

func TestSoonest(t *testing.T) {
	now, none := time.Now(), time.Time{}
	next := now.Add(1)
	for _, c := range []struct {
		times []time.Time
		want  time.Time
	}{
		{nil, none},
		{[]time.Time{none, none}, none},
		{[]time.Time{none, next, now}, now},
		{[]time.Time{now, none, next}, now},
		{[]time.Time{next, none}, next},
	} {
		if got := soonest(c.times...); !got.Equal(c.want) {
			t.Errorf("soonest of %v is %v, want %v", c.times, got, c.want)
		}
	}
}

// The timer moves to an earlier time and never to a later one. What is overdue makes it fire
// at once, which is no stall.
func TestWakeBy(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s := New()
		defer s.Close()
		now := time.Now()
		for _, c := range []struct {
			name     string
			at, want time.Duration // after now
		}{
			{"the first", time.Minute, time.Minute},
			{"a later one", time.Hour, time.Minute},
			{"an earlier one", time.Second, time.Second},
			{"one that is overdue", -time.Hour, 0},
		} {
			s.mu.Lock()
			s.wakeBy(now.Add(c.at))
			if got := s.alarm.at.Sub(now); got != c.want {
				t.Errorf("%s: wakes after %v, want %v", c.name, got, c.want)
			}
			s.mu.Unlock()
		}
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.alarm.at.IsZero() || !s.stalls.Settled().IsZero() {
			t.Errorf("the alarm is at %v, and a stall settled at %v; want that it fired in time", s.alarm.at, s.stalls.Settled())
		}
		if s.wakeBy(time.Time{}); !s.alarm.at.IsZero() {
			t.Errorf("no time sets the alarm to %v", s.alarm.at)
		}
		s.closed = true
		if s.wakeBy(now); !s.alarm.at.IsZero() {
			t.Errorf("a closed scheduler sets the alarm to %v", s.alarm.at)
		}
	})
}

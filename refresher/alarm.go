package refresher

import "time"

// alarm is the one timer of a Scheduler.
type alarm struct {
	timer *time.Timer
	at    time.Time // when it fires; zero if it is not set
}

func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}

// soonest returns the first of the times that are not zero; zero if all are.
func soonest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

// wakeBy ensures a turn at that time or before; a zero time asks for none. Most times are
// later than the one the timer is set to, and leave the timer as it is: resetting it is
// expensive. s.mu is held.
func (s *Scheduler) wakeBy(at time.Time) {
	if at.IsZero() || s.closed || !s.alarm.at.IsZero() && !at.Before(s.alarm.at) {
		return
	}
	now := s.now()
	if at.Before(now) {
		at = now // overdue, but the timer is not late
	}
	s.alarm.at = at
	if s.alarm.timer == nil {
		s.alarm.timer = time.AfterFunc(at.Sub(now), s.wake)
		return
	}
	s.alarm.timer.Reset(at.Sub(now))
}

func (s *Scheduler) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stalls.Look(s.alarm.at, s.now())
	s.alarm.at = time.Time{}
	s.turn()
}

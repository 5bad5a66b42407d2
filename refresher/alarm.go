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

// wakeBy ensures a turn at that time or before; a zero time asks for none. Moving a
// timer is expensive, and most times are later than the one it is set to. s.mu is held.
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

package refresher

import (
	"context"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/stall"
)

// busyPause is how long a busy dialog is left alone.
const busyPause = time.Second

// turn starts what is due and allowed, and sets the alarm for what comes next. s.mu is
// held.
func (s *Scheduler) turn() { s.turnWith(s.run) }

// turnWith is turn; run runs the refreshes that it starts.
func (s *Scheduler) turnWith(run func(step)) {
	if s.closed {
		return
	}
	now := s.now()
	s.stalls.Look(s.alarm.at, now)
	s.takeDue(now)
	// Refreshes come before BYEs: keeping a dead call a little longer is better than
	// cutting off a healthy one.
	s.wakeBy(soonest(s.startRefreshes(now, run), s.sendByes(now), s.reviewFar(now), s.nextDue(), s.nextLook(now)))
}

// step is a refresh. It returns the refresh that the same worker makes next, nil for none: to
// pass it on to another worker takes longer.
type step func() (next step)

// run lets a worker make a refresh, and those after it.
func (s *Scheduler) run(first step) {
	s.workers.Run(func() {
		for next := first; next != nil; next = next() {
		}
	})
}

// nextDue returns when something is due next. s.mu is held.
func (s *Scheduler) nextDue() time.Time {
	if c := s.due.first(); c != nil {
		return s.base.Add(s.dueAt(c))
	}
	return time.Time{}
}

// nextLook returns when to look for a stall, if refreshes wait for answers.
func (s *Scheduler) nextLook(now time.Time) time.Time {
	if s.gate.underWay[sessiontimer.Refresh].Load() > 0 {
		return now.Add(stall.Least)
	}
	return time.Time{}
}

// takeDue makes due refreshes ready, and ends sessions that are over, even if their
// refresh is ready. s.mu is held.
func (s *Scheduler) takeDue(now time.Time) {
	for c := s.due.first(); c != nil && s.dueAt(c) <= now.Sub(s.base); c = s.due.first() {
		s.due.take()
		switch {
		case c.action == sessiontimer.Hangup:
			s.expire(c, now)
		case c.cancel != nil:
			// The refresh of the previous session is still in progress, and may make
			// this one unnecessary.
			c.at = now.Add(busyPause).Sub(s.base)
			s.due.add(c)
		default:
			s.ready.add(c)
		}
	}
}

// startRefreshes starts the refreshes that may start now, and returns when to ask again
// if some are left. s.mu is held.
func (s *Scheduler) startRefreshes(now time.Time, run func(step)) time.Time {
	for c := s.ready.first(); c != nil; c = s.ready.first() {
		if !c.late && c.missed(now) {
			s.miss(c, now)
			continue
		}
		urgent := !c.late && !now.Before(c.session.LastChance())
		if !s.gate.open(sessiontimer.Refresh, urgent, now) {
			return s.gate.opens(sessiontimer.Refresh, now)
		}
		run(s.start(c, now))
	}
	return time.Time{}
}

// miss puts a refresh behind those that have not missed their last chance. It may still
// start until the session ends. s.mu is held.
func (s *Scheduler) miss(c *call, now time.Time) {
	if !now.Before(c.session.HangupAt()) {
		s.expire(c, now)
		return
	}
	s.setLate(c, true)
	c.action = sessiontimer.Hangup
	s.due.add(c)
}

func (s *Scheduler) setLate(c *call, late bool) {
	switch {
	case late && !c.late:
		s.figures.missed.Add(1)
	case !late && c.late:
		s.figures.missed.Add(-1)
	}
	c.late = late
}

// dueAt orders the calls by what is due next: the end, if the refresh is late.
func (s *Scheduler) dueAt(c *call) time.Duration {
	if c.late {
		return c.session.HangupAt().Sub(s.base)
	}
	return c.at
}

// turnOf orders the refreshes that are ready by their last chance. Those that have missed it
// come last, but are still sent: their peers may be more patient than the RFC asks for.
func (s *Scheduler) turnOf(c *call) time.Duration {
	last := c.session.LastChance().Sub(s.base)
	if c.late {
		return last + behind
	}
	return last
}

// behind is longer than half of any interval: 2^32 seconds are 136 years.
const behind = 100 * 365 * 24 * time.Hour

// missed reports whether a peer that follows RFC 4028 §10 has given up.
func (c *call) missed(now time.Time) bool {
	return !now.Before(c.session.ExpiresAt().Add(-sessiontimer.Margin(c.session.Interval)))
}

// start returns a refresh that may start now. s.mu is held.
func (s *Scheduler) start(c *call, now time.Time) step {
	s.figures.lateness.Observe(now.Sub(s.base) - c.at)
	s.unset(c)
	s.gate.enter(sessiontimer.Refresh, now)
	c.running++
	c.attempts++
	p := &placed{Context: s.ctx, s: s, action: sessiontimer.Refresh}
	ctx, cancel := context.WithDeadline(p, c.session.HangupAt())
	c.cancel = cancel
	a := Attempt{Session: c.session, Method: c.method, Last: c.attempts == maxAttempts, Cancel: cancel}
	a.UpdateRefused = a.Last && c.failed == sessiontimer.MethodUpdate
	return func() (next step) {
		run := s.run
		defer func() {
			cancel()
			s.finish(c, p, run)
		}()
		s.refresh(ctx, c, a)
		// This goroutine goes on: the application has not ended it by runtime.Goexit.
		run = func(started step) {
			if next == nil {
				next = started
			} else {
				s.run(started)
			}
		}
		return nil
	}
}

// finish notes that a refresh is over, and starts what may start now.
func (s *Scheduler) finish(c *call, p *placed, run func(step)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.leave()
	s.over(c)
	s.turnWith(run)
}

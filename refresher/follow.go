package refresher

import (
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// maxAttempts bounds the refreshes tried for one session: RFC 4028 §10 says not to
// repeat a request that keeps failing.
const maxAttempts = 3

// follow schedules what follows an attempt, if the session is still current.
func (s *Scheduler) follow(c *call, session sessiontimer.Session, v verdict, o Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.current(c, session) {
		return
	}
	now := s.now()
	if v.failed() {
		c.refused = int16(o.Status)
	}
	switch v {
	case vanished:
		s.unset(c)
	case done, keep:
		s.plan(c)
	case gone:
		c.cause = sessiontimer.CauseDialogClosed
		s.set(c, sessiontimer.Hangup, now)
	case end:
		c.cause, c.status = sessiontimer.CauseRefreshUnanswered, int16(o.Status)
		if o.Status > 0 {
			c.cause = sessiontimer.CauseRefreshAnswered
		}
		s.set(c, sessiontimer.Hangup, now)
	case busy:
		c.attempts--
		s.set(c, sessiontimer.Refresh, now.Add(min(busyPause, c.session.HangupAt().Sub(now))))
	default:
		s.again(c, v, o, now)
	}
}

// again schedules another attempt, if one is left and can help. s.mu is held.
func (s *Scheduler) again(c *call, v verdict, o Outcome, now time.Time) {
	wait := pause(v, int(c.attempts), o, now, c.session.LastChance())
	method, ok := nextMethod(c.failed, v, o)
	c.failed = o.Method
	if !ok || c.attempts >= maxAttempts || wait < 0 {
		s.plan(c)
		return
	}
	c.method = method
	s.set(c, sessiontimer.Refresh, now.Add(wait))
}

// nextMethod returns the method of the next attempt. One that was refused twice is not
// tried a third time if the other is possible. ok is false if the verdict asks for the
// other method and it is not possible.
func nextMethod(failed sessiontimer.Method, v verdict, o Outcome) (next sessiontimer.Method, ok bool) {
	switches := v == other || v == reverse
	switch {
	case o.Alternative && (switches || failed == o.Method && o.Status > 0):
		return otherMethod(o.Method), true
	case switches:
		return 0, false
	}
	return o.Method, true
}

func otherMethod(m sessiontimer.Method) sessiontimer.Method {
	if m == sessiontimer.MethodReInvite {
		return sessiontimer.MethodUpdate
	}
	return sessiontimer.MethodReInvite
}

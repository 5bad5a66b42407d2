package refresher

import (
	"context"
	"hash/maphash"
	"math"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// call is a dialog with something due soon or in progress.
type call struct {
	id      dialogstore.ID
	hash    uint64 // of the ID, in Scheduler.calls
	version uint64 // of the dialog; changes with an older one are ignored
	session sessiontimer.Session

	at     time.Duration                 // when something is due, since Scheduler.base; of a late one, its refresh
	keys   [numberOfQueues]time.Duration // its places in the queues
	cancel context.CancelFunc            // gives up the refresh in progress; nil if there is none

	// Small types: there may be a million calls.
	action   sessiontimer.Action // what is due
	method   sessiontimer.Method // of the next attempt, if it follows a failed one
	failed   sessiontimer.Method // of the last attempt
	attempts int8                // refreshes of this session
	cause    sessiontimer.Cause  // of the hang-up
	status   int16               // of the response that caused it
	refused  int16               // the response to the last attempt that failed; 0 if there was none
	running  int16               // refreshes and hang-ups in progress, of any session
	late     bool                // its refresh is ready, but the last chance has passed
	replan   bool                // plan again once nothing is in progress
	removed  bool
}

func newCall(d *dialogstore.Dialog, hash uint64) *call {
	c := &call{id: d.ID, hash: hash, version: d.Version, keys: [numberOfQueues]time.Duration{absent, absent}}
	c.begin(d.Session)
	return c
}

// begin starts over with another session.
func (c *call) begin(session sessiontimer.Session) {
	c.session, c.attempts, c.method, c.failed = session, 0, sessiontimer.MethodAuto, sessiontimer.MethodAuto
	c.cause, c.status, c.refused = sessiontimer.CauseExpired, 0, 0
}

// next returns what is due for a session and when, with jitter, and whether that is far
// away. Even with jitter, no refresh comes sooner after the 2xx than sessiontimer.Pace. s.mu
// is held.
func (s *Scheduler) next(id *dialogstore.ID, session sessiontimer.Session, attempted bool) (action sessiontimer.Action, at time.Time, far bool) {
	action, at = s.nextAfter(id, session, attempted, s.clock)
	return action, at, action == sessiontimer.Idle || at.Sub(s.clock) > horizon && at.Sub(s.now()) > horizon
}

// nextAfter is next, given the present time. It needs no lock.
func (s *Scheduler) nextAfter(id *dialogstore.ID, session sessiontimer.Session, attempted bool, now time.Time) (action sessiontimer.Action, at time.Time) {
	action, at = session.Next(now, attempted)
	if action == sessiontimer.Refresh && s.cfg.Jitter > 0 {
		share := float64(maphash.Comparable(s.seed, *id)) / math.MaxUint64
		wait := at.Sub(session.Since)
		early := time.Duration(share * s.cfg.Jitter * float64(wait))
		at = at.Add(-min(early, max(0, wait-sessiontimer.Pace)))
	}
	return action, at
}

// now reads the clock. That is expensive, so s.clock, the last reading, is used where a
// slightly earlier time will do. s.mu is held.
func (s *Scheduler) now() time.Time {
	s.clock = time.Now()
	return s.clock
}

// plan schedules what is due next for the session. A call with nothing due soon becomes a
// farCall, unless its refresh was tried, which must be remembered, or something is still in
// progress. s.mu is held.
func (s *Scheduler) plan(c *call) {
	action, at, far := s.next(&c.id, c.session, c.attempts > 0)
	switch {
	case c.attempts > 0 || !far:
		s.set(c, action, at)
	case c.running > 0:
		s.unset(c)
		c.replan = true
	default:
		s.remove(c)
		s.putFar(c.id, c.session, at)
	}
}

// set replaces what is scheduled. s.mu is held.
func (s *Scheduler) set(c *call, action sessiontimer.Action, at time.Time) {
	s.ready.remove(c)
	s.setLate(c, false)
	c.replan = false
	c.action, c.at = action, at.Sub(s.base)
	s.due.add(c)
	if at.After(s.clock) {
		s.wakeBy(at)
		return
	}
	s.turn()
}

// unset cancels what is scheduled. s.mu is held.
func (s *Scheduler) unset(c *call) {
	s.due.remove(c)
	s.ready.remove(c)
	s.setLate(c, false)
	c.replan = false
}

// drop gives up the refresh in progress, and marks the call as removed.
func (c *call) drop() {
	if c.removed = true; c.cancel != nil {
		c.cancel()
	}
}

// remove forgets a call. A refresh in progress notices that when it finishes. s.mu is held.
func (s *Scheduler) remove(c *call) {
	s.unset(c)
	if !c.removed {
		c.removed = true
		s.calls.remove(c)
	}
}

// release removes a call with nothing scheduled or in progress. s.mu is held.
func (s *Scheduler) release(c *call) {
	if c.running == 0 && !s.due.has(c) && !s.ready.has(c) {
		s.remove(c)
	}
}

// over notes that a refresh or hang-up of the call has ended. s.mu is held.
func (s *Scheduler) over(c *call) {
	c.running--
	if c.replan && c.running == 0 && !c.removed {
		s.plan(c)
	}
	s.release(c)
}

// current reports whether c still has that session. s.mu is held.
func (s *Scheduler) current(c *call, session sessiontimer.Session) bool {
	return !c.removed && c.session.Equal(session)
}

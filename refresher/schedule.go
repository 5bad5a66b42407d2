package refresher

import (
	"context"
	"hash/maphash"
	"math"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// schedule is what is to be done for one dialog, and when. It is armed, waiting
// or under way, or else forgotten.
type schedule struct {
	id       dialogstore.ID
	version  uint64 // of the dialog; older news are ignored
	session  sessiontimer.Session
	attempts int
	method   sessiontimer.Method // of the next attempt, if a failed one prescribes it
	failed   sessiontimer.Method // the last attempt
	reason   sessiontimer.Reason // of the hang-up

	action sessiontimer.Action
	at     time.Time          // when it is due
	in     *queue             // nil if nothing is to be done
	key    time.Duration      // its place there
	cancel context.CancelFunc // ends the attempt under way; nil if none is

	underWay int  // refreshes and hang-ups
	replan   bool // when none is
}

// missed tells that the peer has given up by now, if it does so on time (RFC 4028
// §10).
func (s *schedule) missed(now time.Time) bool {
	return !now.Before(s.session.ExpiresAt().Add(-sessiontimer.Margin(s.session.Interval)))
}

// next is what is due for a session and when, spread by the jitter. That brings no
// refresh closer to the 2xx than sessiontimer.Pace.
func (r *Scheduler) next(id dialogstore.ID, session sessiontimer.Session, now time.Time, attempted bool) (sessiontimer.Action, time.Time) {
	action, at := session.Next(now, attempted)
	if action == sessiontimer.Refresh && r.cfg.Jitter > 0 {
		share := float64(maphash.Comparable(r.seed, id)) / math.MaxUint64
		wait := at.Sub(session.Since)
		early := time.Duration(share * r.cfg.Jitter * float64(wait))
		at = at.Add(-min(early, max(0, wait-sessiontimer.Pace)))
	}
	return action, at
}

// plan arms what is due next, unless that is far. What was attempted never is:
// its refresh is overdue, and the schedule stays to remember that it was tried.
// So does that of a call of which something is under way, until that is over.
// r.mu is held.
func (r *Scheduler) plan(s *schedule, attempted bool) {
	now := time.Now()
	action, at := r.next(s.id, s.session, now, attempted)
	s.replan = false
	switch {
	case attempted || !far(action, at, now):
		r.arm(s, action, at)
	case s.underWay > 0:
		s.in, s.replan = nil, true
	default:
		s.in = nil
		r.sleep(s.id, s.session, at, now)
		r.release(s)
	}
}

// arm replaces what was scheduled. r.mu is held.
func (r *Scheduler) arm(s *schedule, action sessiontimer.Action, at time.Time) {
	s.action, s.at = action, at
	if action == sessiontimer.Idle || r.closed {
		s.in = nil
		r.release(s)
		return
	}
	r.armed.add(s)
	if r.armed.first() == s {
		r.turn()
	}
}

// armIn is arm for what was under way. r.mu is held.
func (r *Scheduler) armIn(s *schedule, action sessiontimer.Action, in time.Duration) {
	r.arm(s, action, time.Now().Add(in))
}

// release forgets a schedule that has nothing to do. r.mu is held.
func (r *Scheduler) release(s *schedule) {
	if s.in == nil && s.underWay == 0 && r.dialogs[s.id] == s {
		delete(r.dialogs, s.id)
	}
}

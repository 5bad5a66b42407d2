package refresher

import (
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Plan is what is scheduled for a dialog.
type Plan struct {
	Action sessiontimer.Action // what is due next; Idle without a timer
	At     time.Time           // when; in the past if it waits for a place; zero for Idle

	Attempts int  // refreshes sent for this session, with the one in progress
	UnderWay bool // a refresh is in progress
	Waiting  bool // the refresh is due, and waits for a place under Limits
	Missed   bool // the refresh waits, and the peer may have given up already
	// Status is the response to the last attempt, which failed; 0 if that attempt was not
	// answered, or if none has failed since the session was refreshed.
	Status int
}

// Plan returns what is scheduled for d, which was just read from the store.
func (s *Scheduler) Plan(d *dialogstore.Dialog) Plan {
	now, hash := time.Now(), s.calls.hash(d.ID)
	s.mu.Lock()
	c := s.calls.find(hash, d.ID)
	near := c != nil && c.session.Equal(d.Session)
	var p Plan
	if near {
		p = s.planOf(c)
	}
	s.mu.Unlock()
	if p.Action == sessiontimer.Idle {
		p.Action, p.At = s.nextAfter(&d.ID, d.Session, p.Attempts > 0, now)
	}
	return p
}

// planOf returns the Plan of a call with something due soon or in progress. s.mu is held.
func (s *Scheduler) planOf(c *call) Plan {
	p := Plan{Attempts: int(c.attempts), UnderWay: c.cancel != nil, Status: int(c.refused)}
	switch {
	case s.ready.has(c):
		p.Action, p.At, p.Waiting, p.Missed = sessiontimer.Refresh, s.base.Add(c.at), true, c.late
	case s.due.has(c):
		p.Action, p.At = c.action, s.base.Add(c.at)
	}
	return p
}

package refresher

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// expire ends a session at once; only its BYE waits for its turn. If the process was stalled,
// it first leaves time to read a refresh that the peer may have sent. s.mu is held.
func (s *Scheduler) expire(c *call, now time.Time) {
	s.unset(c)
	if settled := s.stalls.Settled(); now.Before(settled) {
		c.action, c.at = sessiontimer.Hangup, settled.Sub(s.base)
		s.due.add(c)
		return
	}
	if c.cancel != nil {
		c.cancel()
	}
	c.running++
	session, reason := c.session, sessiontimer.Reason{Cause: c.cause, Status: int(c.status)}
	s.workers.Run(func() {
		bye := s.end(c, session, reason)
		s.mu.Lock()
		defer s.mu.Unlock()
		if bye != nil && !s.closed {
			s.byes = append(s.byes, bye)
			s.figures.byes.Add(1)
		}
		s.over(c)
		s.turn()
	})
}

// end ends a session, or postpones the end while the dialog is busy. It returns the function
// that sends the BYE.
func (s *Scheduler) end(c *call, session sessiontimer.Session, reason sessiontimer.Reason) (bye func(context.Context)) {
	bye, err := s.cfg.Pipeline.End(s.ctx, c.id, session, reason)
	switch {
	case err == nil, errors.Is(err, dialogstore.ErrNotFound):
		return bye
	case errors.Is(err, ErrSuperseded):
		s.reload(s.ctx, c.id)
	}
	if s.endLater(c, session) && !errors.Is(err, ErrBusy) {
		s.cfg.Logger.Warn("cannot end the session, will try again", "call_id", c.id.CallID, "local_tag", c.id.LocalTag,
			"remote_tag", c.id.RemoteTag, "error", err)
	}
	return nil
}

// endLater postpones the end, unless the session was refreshed meanwhile. It reports
// whether it did.
func (s *Scheduler) endLater(c *call, session sessiontimer.Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.current(c, session) {
		return false
	}
	s.set(c, sessiontimer.Hangup, s.now().Add(busyPause))
	return true
}

// sendByes sends the BYEs that may be sent now, and returns when to ask again if some
// are left. s.mu is held.
func (s *Scheduler) sendByes(now time.Time) time.Time {
	for len(s.byes) > 0 {
		if !s.gate.open(sessiontimer.Hangup, false, now) {
			return s.gate.opens(sessiontimer.Hangup, now)
		}
		bye := s.byes[0]
		s.byes[0] = nil
		s.figures.byes.Add(-1)
		if s.byes = s.byes[1:]; len(s.byes) == 0 {
			s.byes = nil
		}
		s.gate.enter(sessiontimer.Hangup, now)
		p := &placed{Context: s.ctx, s: s, action: sessiontimer.Hangup}
		s.workers.Run(func() {
			defer s.byeSent(p)
			bye(p)
		})
	}
	return time.Time{}
}

func (s *Scheduler) byeSent(p *placed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.leave()
	s.turn()
}

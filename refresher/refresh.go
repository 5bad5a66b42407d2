package refresher

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// errExited is the outcome where a handler of the application has ended the goroutine of the
// refresh, by runtime.Goexit.
var errExited = errors.New("refresher: the goroutine of the refresh was ended")

// refresh makes one attempt and schedules what follows.
func (s *Scheduler) refresh(ctx context.Context, c *call, a Attempt) {
	o, begin := Outcome{Method: a.Method, Err: errExited}, time.Now()
	defer func() { s.attempted(ctx, c, a, o, begin) }()
	o = s.cfg.Pipeline.Refresh(ctx, c.id, a)
}

// attempted notes the outcome of an attempt, and schedules what follows.
func (s *Scheduler) attempted(ctx context.Context, c *call, a Attempt, o Outcome, begin time.Time) {
	if timeIsUp(o.Err) && s.stalledSince(begin) {
		o.Err = errStalled
	}
	s.figures.answered(a.Session, o, begin, time.Now())
	v := judge(o)
	if v == reverse {
		s.refuseUpdate(ctx, c.id)
	}
	current := s.finished(c, a, o)
	LeavePlace(ctx)
	if !current {
		return // ended or refreshed meanwhile: the outcome no longer matters
	}
	defer s.follow(c, a.Session, v, o) // a handler that Report calls may end the goroutine
	if v.failed() {
		s.Report(c.id, a.Session, o)
	}
	if errors.Is(o.Err, ErrSuperseded) {
		s.reload(ctx, c.id)
	}
}

// stalledSince reports whether the process has stalled since begin.
func (s *Scheduler) stalledSince(begin time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stalls.Look(s.alarm.at, s.now())
	return s.stalls.Since(begin)
}

// finished notes the end of an attempt, and reports whether its session is still current.
func (s *Scheduler) finished(c *call, a Attempt, o Outcome) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.cancel = nil
	if o.Status > 0 {
		s.gate.heard = s.now()
	}
	return s.current(c, a.Session)
}

// refuseUpdate stores that the peer does not support UPDATE.
func (s *Scheduler) refuseUpdate(ctx context.Context, id dialogstore.ID) {
	_, _, err := s.cfg.Store.Update(ctx, id, func(d dialogstore.Dialog) (dialogstore.State, error) {
		d.NoUpdate = true
		return d.State, nil
	})
	if err != nil && !errors.Is(err, dialogstore.ErrNotFound) {
		s.cfg.Logger.Warn("cannot record in the store that the peer refuses UPDATE", "call_id", id.CallID, "local_tag", id.LocalTag,
			"remote_tag", id.RemoteTag, "error", err)
	}
}

// Report logs a failed refresh and raises the event RefreshFailed.
func (s *Scheduler) Report(id dialogstore.ID, session sessiontimer.Session, o Outcome) {
	method := "UPDATE"
	if o.Method == sessiontimer.MethodReInvite {
		method = "INVITE"
	}
	d := dialogstore.Dialog{Origin: dialogstore.Origin{ID: id}, State: dialogstore.State{Session: session}}
	s.cfg.Logger.Warn("session refresh failed", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag,
		"interval", session.Interval, "expires", session.ExpiresAt(), "method", method, "status", o.Status, "error", o.Err)
	s.cfg.Event(sessiontimer.RefreshFailed{Call: d.Call(time.Now()), Method: method, Status: o.Status, Err: o.Err})
}

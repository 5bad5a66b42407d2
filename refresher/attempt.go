package refresher

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// refresh makes one attempt for the given session and schedules what follows.
func (r *Scheduler) refresh(ctx context.Context, s *schedule, session sessiontimer.Session) {
	begin := time.Now()
	r.mu.Lock()
	a := Attempt{
		Session:       session,
		Method:        s.method,
		Last:          s.attempts == maxAttempts,
		UpdateRefused: s.failed == sessiontimer.MethodUpdate && s.attempts == maxAttempts,
	}
	r.mu.Unlock()
	o := r.cfg.Pipeline.Refresh(ctx, s.id, a)
	if timeIsUp(o.Err) && r.stalledSince(begin) {
		o.Err = errStalled
	}
	v := keep
	failed := o.Status/100 != 2
	if failed {
		v = judge(o)
	}
	if v == reverse {
		r.refuseUpdate(ctx, s.id)
	}

	r.mu.Lock()
	s.cancel = nil
	if o.Status > 0 {
		r.gate.heard = time.Now()
	}
	current := r.current(s, session)
	r.mu.Unlock()
	LeavePlace(ctx)
	if !current {
		return // ended, or refreshed meanwhile: whatever came of this attempt is history
	}
	failed = failed && !slices.ContainsFunc(expected, func(e error) bool { return errors.Is(o.Err, e) })
	if failed {
		r.report(s.id, session, o)
	}
	if errors.Is(o.Err, ErrSuperseded) {
		r.catchUp(ctx, s.id)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.current(s, session), errors.Is(o.Err, dialogstore.ErrNotFound):
	case errors.Is(o.Err, ErrGone):
		s.reason = sessiontimer.Reason{Cause: sessiontimer.CauseDialogClosed}
		r.armIn(s, sessiontimer.Hangup, 0)
	case errors.Is(o.Err, ErrBusy):
		s.attempts--
		r.armIn(s, sessiontimer.Refresh, min(busyPause, time.Until(session.HangupAt())))
	case failed:
		r.follow(s, v, o)
	default:
		r.plan(s, true) // called off; the news of it will follow
	}
}

// stalledSince reports whether the process has stood still since begin.
func (r *Scheduler) stalledSince(begin time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stalls.Look(r.wakes, time.Now())
	return r.stalls.Since(begin)
}

// expected are errors that say nothing about the peer. Canceled is that of an
// attempt called off because its dialog ends.
var expected = []error{dialogstore.ErrNotFound, ErrGone, ErrBusy, ErrSuperseded, context.Canceled}

// current tells that session is still what s is about. r.mu is held.
func (r *Scheduler) current(s *schedule, session sessiontimer.Session) bool {
	return r.dialogs[s.id] == s && s.session.Equal(session) && !r.closed
}

// catchUp takes a dialog up as the store has it. News that came late, after
// newer ones, made a schedule of what is history.
func (r *Scheduler) catchUp(ctx context.Context, id dialogstore.ID) {
	if d, err := r.cfg.Store.Load(ctx, id); err == nil {
		r.heed(&d)
	}
}

// follow schedules what a failed attempt leads to. r.mu is held.
func (r *Scheduler) follow(s *schedule, v verdict, o Outcome) {
	now := time.Now()
	switch v {
	case end:
		s.reason = sessiontimer.Reason{Cause: sessiontimer.CauseRefreshUnanswered}
		if o.Status > 0 {
			s.reason = sessiontimer.Reason{Cause: sessiontimer.CauseRefreshAnswered, Status: o.Status}
		}
		r.arm(s, sessiontimer.Hangup, now)
		return
	case keep:
		r.plan(s, true)
		return
	}
	// What was refused twice is not tried a third time if there is another way.
	next, switches := o.Method, v == other || v == reverse
	if switches || s.failed == o.Method && o.Status > 0 {
		next = otherMethod(o.Method)
	}
	if next != o.Method && !o.Alternative {
		if switches {
			r.plan(s, true)
			return
		}
		next = o.Method
	}
	s.failed = o.Method
	wait := pause(v, s.attempts, o, now, s.session.LastChance())
	if s.attempts >= maxAttempts || wait < 0 {
		r.plan(s, true)
		return
	}
	s.method = next
	r.arm(s, sessiontimer.Refresh, now.Add(wait))
}

func otherMethod(m sessiontimer.Method) sessiontimer.Method {
	if m == sessiontimer.MethodReInvite {
		return sessiontimer.MethodUpdate
	}
	return sessiontimer.MethodReInvite
}

// refuseUpdate remembers that the peer cannot UPDATE.
func (r *Scheduler) refuseUpdate(ctx context.Context, id dialogstore.ID) {
	_, _, err := r.cfg.Store.Update(ctx, id, func(d dialogstore.Dialog) (dialogstore.Dialog, error) {
		d.NoUpdate = true
		return d, nil
	})
	if err != nil && !errors.Is(err, dialogstore.ErrNotFound) {
		r.cfg.Logger.Warn("refused UPDATE not remembered", "call_id", id.CallID, "local_tag", id.LocalTag,
			"remote_tag", id.RemoteTag, "error", err)
	}
}

// report logs a failed refresh once and tells the application.
func (r *Scheduler) report(id dialogstore.ID, session sessiontimer.Session, o Outcome) {
	method := "UPDATE"
	if o.Method == sessiontimer.MethodReInvite {
		method = "INVITE"
	}
	d := dialogstore.Dialog{ID: id, Session: session}
	r.cfg.Logger.Warn("session refresh failed", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag,
		"interval", session.Interval, "expires", session.ExpiresAt(), "method", method, "status", o.Status, "error", o.Err)
	r.cfg.Event(sessiontimer.RefreshFailed{Call: d.Call(time.Now()), Method: method, Status: o.Status, Err: o.Err})
}

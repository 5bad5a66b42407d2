package refresher

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// refresh makes one attempt for the given session and schedules what follows.
func (r *Refresher) refresh(ctx context.Context, s *schedule, session sessiontimer.Session) {
	begin := time.Now()
	r.mu.Lock()
	refused := s.failed == sip.UPDATE && s.attempts == maxAttempts
	r.mu.Unlock()
	d, m, res, err := r.attempt(ctx, s, session)
	if timedOut(err) && r.stalledSince(begin) {
		err = errStalled
	}
	v := keep
	failed := err != nil || !res.IsSuccess()
	if failed {
		v = judge(m, res, err)
	}
	if v == reverse || refused && m == sip.INVITE && !failed {
		r.refuseUpdate(ctx, s.id)
	}

	r.mu.Lock()
	s.cancel = nil
	if res != nil {
		r.gate.heard = time.Now()
	}
	current := r.current(s, session)
	r.mu.Unlock()
	LeavePlace(ctx)
	if !current {
		return // ended, or refreshed meanwhile: whatever came of this attempt is history
	}
	failed = failed && !slices.ContainsFunc(expected, func(e error) bool { return errors.Is(err, e) })
	if failed {
		r.report(d, m, res, err)
	}
	if errors.Is(err, ErrSuperseded) {
		r.catchUp(ctx, s.id)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.current(s, session), errors.Is(err, dialogstore.ErrNotFound):
	case errors.Is(err, ErrGone):
		s.reason = sessiontimer.Reason{Cause: sessiontimer.CauseDialogClosed}
		r.armIn(s, sessiontimer.Hangup, 0)
	case errors.Is(err, ErrBusy):
		s.attempts--
		r.armIn(s, sessiontimer.Refresh, min(busyPause, time.Until(session.HangupAt())))
	case failed:
		r.follow(s, d, m, v, res)
	default:
		r.plan(s, true) // called off; the news of it will follow
	}
}

// stalledSince reports whether the process has stood still since begin.
func (r *Refresher) stalledSince(begin time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stalls.Look(r.wakes, time.Now())
	return r.stalls.Since(begin)
}

// expected are errors that say nothing about the peer. Canceled is that of an
// attempt called off because its dialog ends.
var expected = []error{dialogstore.ErrNotFound, ErrGone, ErrBusy, ErrSuperseded, context.Canceled}

// current tells that session is still what s is about. r.mu is held.
func (r *Refresher) current(s *schedule, session sessiontimer.Session) bool {
	return r.dialogs[s.id] == s && s.session.Equal(session) && !r.closed
}

// catchUp takes a dialog up as the store has it. News that came late, after
// newer ones, made a schedule of what is history.
func (r *Refresher) catchUp(ctx context.Context, id dialogstore.ID) {
	if d, err := r.cfg.Store.Load(ctx, id); err == nil {
		r.heed(&d)
	}
}

// attempt loads the dialog, builds the request and sends it.
func (r *Refresher) attempt(ctx context.Context, s *schedule, session sessiontimer.Session) (dialogstore.Dialog, sip.RequestMethod, *sip.Response, error) {
	d, err := r.cfg.Store.Load(ctx, s.id)
	if err != nil {
		return d, sip.UPDATE, nil, err
	}
	if !d.Session.Equal(session) {
		return d, sip.UPDATE, nil, ErrSuperseded
	}
	m := method(d.Policy.Method, d.PeerUpdate, d.NoUpdate, len(d.SDP) > 0)
	r.mu.Lock()
	if s.method != "" {
		m = s.method
	}
	fallBack := m == sip.UPDATE && len(d.SDP) > 0 && s.attempts < maxAttempts
	r.mu.Unlock()
	req, err := refreshRequest(d, m)
	if err != nil {
		return d, m, nil, err
	}
	if fallBack {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, updateUntil(session, time.Now()))
		defer cancel()
	}
	res, err := r.cfg.Pipeline.Refresh(ctx, d, req)
	switch {
	case err == nil && res == nil:
		err = errors.New("refresher: no response and no error")
	case fallBack && errors.Is(err, context.DeadlineExceeded) && time.Now().Before(session.HangupAt()):
		err = errUnanswered
	}
	return d, m, res, err
}

// follow schedules what a failed attempt leads to. r.mu is held.
func (r *Refresher) follow(s *schedule, d dialogstore.Dialog, m sip.RequestMethod, v verdict, res *sip.Response) {
	now := time.Now()
	switch v {
	case end:
		s.reason = sessiontimer.Reason{Cause: sessiontimer.CauseRefreshUnanswered}
		if res != nil {
			s.reason = sessiontimer.Reason{Cause: sessiontimer.CauseRefreshAnswered, Status: res.StatusCode}
		}
		r.arm(s, sessiontimer.Hangup, now)
		return
	case keep:
		r.plan(s, true)
		return
	}
	// What was refused twice is not tried a third time if there is another way.
	next, switches := m, v == other || v == reverse
	if switches || s.failed == m && res != nil {
		next = otherMethod(m)
	}
	if next == sip.INVITE && len(d.SDP) == 0 || next == sip.UPDATE && (!d.PeerUpdate || d.NoUpdate) {
		if switches {
			r.plan(s, true)
			return
		}
		next = m
	}
	s.failed = m
	wait := pause(v, s.attempts, res, d.OwnsCallID, now, s.session.LastChance())
	if s.attempts >= maxAttempts || wait < 0 {
		r.plan(s, true)
		return
	}
	s.method = next
	r.arm(s, sessiontimer.Refresh, now.Add(wait))
}

func otherMethod(m sip.RequestMethod) sip.RequestMethod {
	if m == sip.UPDATE {
		return sip.INVITE
	}
	return sip.UPDATE
}

// refuseUpdate remembers that the peer cannot UPDATE.
func (r *Refresher) refuseUpdate(ctx context.Context, id dialogstore.ID) {
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
func (r *Refresher) report(d dialogstore.Dialog, m sip.RequestMethod, res *sip.Response, err error) {
	status := 0
	if res != nil {
		status = res.StatusCode
	}
	r.cfg.Logger.Warn("session refresh failed", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag,
		"interval", d.Session.Interval, "expires", d.Session.ExpiresAt(), "method", string(m), "status", status, "error", err)
	r.cfg.Event(sessiontimer.RefreshFailed{Call: d.Call(time.Now()), Method: string(m), Status: status, Err: err})
}

package refresher

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// busyPause is how long a busy dialog is left alone.
const busyPause = time.Second

// turn starts what is due and may start, and sets the alarm for what comes
// next. r.mu is held.
func (r *Refresher) turn() {
	if r.closed {
		return
	}
	now := time.Now()
	for s := r.armed.first(); s != nil && !s.at.After(now); s = r.armed.first() {
		r.armed.take()
		r.waiting.add(s)
	}
	r.putBackMissed(now)
	for s := r.waiting.first(); s != nil && r.gate.open(s, now); s = r.waiting.first() {
		r.waiting.take()
		r.start(s, now)
	}
	var wake time.Time
	if s := r.armed.first(); s != nil {
		wake = s.at
	}
	if s := r.waiting.first(); s != nil {
		if at := r.gate.opens(s, now); wake.IsZero() || at.Before(wake) {
			wake = at
		}
	}
	if !wake.IsZero() {
		r.wakeAt(wake)
	}
}

// putBackMissed puts refreshes that come too late for their peers behind those that
// do not. r.mu is held.
func (r *Refresher) putBackMissed(now time.Time) {
	for s := r.waiting.first(); s != nil && s.missed(now); s = r.waiting.first() {
		s.late = s.late.Add(afterAll)
	}
}

// wakeAt sees to it that the alarm goes off at that time or earlier: most that is
// scheduled comes after what is already waited for, and moving a timer is dear.
// r.mu is held.
func (r *Refresher) wakeAt(at time.Time) {
	if !r.wakes.IsZero() && !at.Before(r.wakes) {
		return
	}
	r.wakes = at
	if r.alarm == nil {
		r.alarm = time.AfterFunc(time.Until(at), r.woken)
		return
	}
	r.alarm.Reset(time.Until(at))
}

func (r *Refresher) woken() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wakes = time.Time{}
	r.turn()
}

// start has a worker do what is due. r.mu is held.
func (r *Refresher) start(s *schedule, now time.Time) {
	if s.action == sessiontimer.Refresh && s.cancel != nil {
		// The one before is not over yet; it may make this one unnecessary.
		s.at = now.Add(busyPause)
		r.armed.add(s)
		return
	}
	if s.cancel != nil {
		s.cancel()
	}
	if !now.Before(s.session.HangupAt()) {
		s.action = sessiontimer.Hangup // it waited for too long
	}
	r.gate.enter(now)
	s.underWay++
	session, reason := s.session, s.reason
	if s.action == sessiontimer.Hangup {
		r.workers.Run(func() {
			r.hangup(r.ctx, s, session, reason)
			r.done(s)
		})
		return
	}
	ctx, cancel := context.WithDeadline(r.ctx, session.HangupAt())
	s.cancel = cancel
	s.attempts++
	r.workers.Run(func() {
		r.refresh(ctx, s, session)
		cancel()
		r.done(s)
	})
}

// done makes room for what waits.
func (r *Refresher) done(s *schedule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gate.leave()
	s.underWay--
	if s.replan && s.underWay == 0 && r.dialogs[s.id] == s {
		r.plan(s, false)
	}
	r.release(s)
	r.turn()
}

// hangup ends the session, or puts it off while the dialog is busy.
func (r *Refresher) hangup(ctx context.Context, s *schedule, session sessiontimer.Session, reason string) {
	d, err := r.cfg.Store.Load(ctx, s.id)
	if err == nil && !d.Session.Equal(session) {
		r.heed(&d)
		return
	}
	if err == nil {
		err = r.cfg.Pipeline.Hangup(ctx, d, reason)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.current(s, session) || err == nil || errors.Is(err, dialogstore.ErrNotFound) || s.action != sessiontimer.Hangup {
		return
	}
	if !errors.Is(err, ErrBusy) {
		r.cfg.Logger.Warn("session not ended, trying again", "call_id", s.id.CallID, "local_tag", s.id.LocalTag,
			"remote_tag", s.id.RemoteTag, "error", err)
	}
	r.armIn(s, sessiontimer.Hangup, busyPause)
}

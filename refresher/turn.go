package refresher

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

const (
	// busyPause is how long a busy dialog is left alone.
	busyPause = time.Second
	// heartbeat is how often it is looked, while answers are waited for, whether the
	// process still runs.
	heartbeat = time.Second
)

// turn starts what is due and may start, and sets the alarm for what comes
// next. r.mu is held.
func (r *Scheduler) turn() {
	if r.closed {
		return
	}
	now := time.Now()
	r.stalls.Look(r.wakes, now)
	r.sortDue(now)
	var wake time.Time
	// A dead call that is kept a little longer is not as bad as a healthy one that
	// is cut; and a peer may be more patient than it should.
	for _, q := range []*queue{&r.waiting, &r.missed} {
		if at := r.startFrom(q, now); !at.IsZero() && (wake.IsZero() || at.Before(wake)) {
			wake = at
		}
	}
	if at := r.sendByes(now); !at.IsZero() && (wake.IsZero() || at.Before(wake)) {
		wake = at
	}
	if s := r.armed.first(); s != nil && (wake.IsZero() || s.at.Before(wake)) {
		wake = s.at
	}
	if beat := now.Add(heartbeat); r.gate.underWay[sessiontimer.Refresh] > 0 && (wake.IsZero() || beat.Before(wake)) {
		wake = beat
	}
	if !wake.IsZero() {
		r.wakeAt(wake)
	}
}

// sortDue puts what is due into the queue that it waits in. r.mu is held.
func (r *Scheduler) sortDue(now time.Time) {
	for s := r.armed.first(); s != nil && !s.at.After(now); s = r.armed.first() {
		r.armed.take()
		if s.action == sessiontimer.Hangup {
			r.expire(s, now)
		} else {
			r.waiting.add(s)
		}
	}
	for s := r.waiting.first(); s != nil && s.missed(now); s = r.waiting.first() {
		r.waiting.take()
		r.missed.add(s)
	}
	for s := r.missed.first(); s != nil && !now.Before(s.session.HangupAt()); s = r.missed.first() {
		r.missed.take()
		r.expire(s, now) // it waited for too long
	}
}

// expire ends a session at once, and leaves only its BYE to wait. After a stall the
// refresh that the peer has sent in time may still be unread. r.mu is held.
func (r *Scheduler) expire(s *schedule, now time.Time) {
	s.action = sessiontimer.Hangup
	if settled := r.stalls.Settled(); now.Before(settled) {
		s.at = settled
		r.armed.add(s)
		return
	}
	if s.cancel != nil {
		s.cancel()
	}
	s.underWay++
	session, reason := s.session, s.reason
	r.workers.Run(func() {
		bye := r.hangup(r.ctx, s, session, reason)
		r.mu.Lock()
		defer r.mu.Unlock()
		if bye != nil && !r.closed {
			r.byes = append(r.byes, bye)
		}
		r.over(s)
	})
}

// sendByes sends those of ended sessions that may be sent now, and returns when to
// ask again if some are left. r.mu is held.
func (r *Scheduler) sendByes(now time.Time) time.Time {
	for len(r.byes) > 0 {
		if !r.gate.open(sessiontimer.Hangup, false, now) {
			return r.gate.opens(sessiontimer.Hangup, now)
		}
		bye := r.byes[0]
		r.byes[0] = nil
		if r.byes = r.byes[1:]; len(r.byes) == 0 {
			r.byes = nil
		}
		r.gate.enter(sessiontimer.Hangup, now)
		p := &placed{Context: r.ctx, r: r, action: sessiontimer.Hangup}
		r.workers.Run(func() {
			defer LeavePlace(p)
			bye(p)
		})
	}
	return time.Time{}
}

// startFrom starts what may start of a queue, and returns when to ask again if some
// is left. r.mu is held.
func (r *Scheduler) startFrom(q *queue, now time.Time) time.Time {
	for s := q.first(); s != nil; s = q.first() {
		urgent := q == &r.waiting && !now.Before(s.session.LastChance())
		if !r.gate.open(s.action, urgent, now) {
			return r.gate.opens(s.action, now)
		}
		q.take()
		r.start(s, now)
	}
	return time.Time{}
}

// wakeAt sees to it that the alarm goes off at that time or earlier: most that is
// scheduled comes after what is already waited for, and moving a timer is dear.
// r.mu is held.
func (r *Scheduler) wakeAt(at time.Time) {
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

func (r *Scheduler) woken() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stalls.Look(r.wakes, time.Now())
	r.wakes = time.Time{}
	r.turn()
}

// start has a worker do what is due. r.mu is held.
func (r *Scheduler) start(s *schedule, now time.Time) {
	if s.cancel != nil {
		// The one before is not over yet; it may make this one unnecessary.
		s.at = now.Add(busyPause)
		r.armed.add(s)
		return
	}
	r.gate.enter(s.action, now)
	s.underWay++
	session := s.session
	p := &placed{Context: r.ctx, r: r, action: s.action}
	ctx, cancel := context.WithDeadline(p, session.HangupAt())
	s.cancel = cancel
	s.attempts++
	r.workers.Run(func() {
		defer r.done(s, p)
		defer cancel()
		r.refresh(ctx, s, session)
	})
}

// done makes room for what waits.
func (r *Scheduler) done(s *schedule, p *placed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.leave()
	r.over(s)
}

// over notes that one thing less is under way for s. r.mu is held.
func (r *Scheduler) over(s *schedule) {
	s.underWay--
	if s.replan && s.underWay == 0 && r.dialogs[s.id] == s {
		r.plan(s, false)
	} else {
		r.release(s)
	}
	r.turn()
}

// hangup ends the session, or puts that off while the dialog is busy. It returns what
// sends the BYE.
func (r *Scheduler) hangup(ctx context.Context, s *schedule, session sessiontimer.Session, reason sessiontimer.Reason) func(context.Context) {
	bye, err := r.cfg.Pipeline.End(ctx, s.id, session, reason)
	if errors.Is(err, ErrSuperseded) {
		r.catchUp(ctx, s.id)
	}
	if err == nil || errors.Is(err, dialogstore.ErrNotFound) || !r.hangUpLater(s, session) || errors.Is(err, ErrBusy) {
		return bye
	}
	r.cfg.Logger.Warn("session not ended, trying again", "call_id", s.id.CallID, "local_tag", s.id.LocalTag,
		"remote_tag", s.id.RemoteTag, "error", err)
	return nil
}

// hangUpLater puts a hang-up off, unless the session was refreshed meanwhile.
func (r *Scheduler) hangUpLater(s *schedule, session sessiontimer.Session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.current(s, session) || s.action != sessiontimer.Hangup {
		return false
	}
	r.armIn(s, sessiontimer.Hangup, busyPause)
	return true
}

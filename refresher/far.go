package refresher

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// A call is idle for most of its life, and a timer for each of a million calls would cost
// too much. So a call with nothing due within the horizon is only an ID, in the slot for the
// time at which it comes near. After that slot, at least 10 s and at most the horizon before
// it is due, the call is loaded and scheduled.
const (
	horizon = 40 * time.Second // nearer than half of 90 s, the shortest interval of RFC 4028 §4
	slot    = 30 * time.Second
	// longest bounds how long an ended call stays in a slot.
	longest = 5 * time.Minute
	// pageSize bounds the copying when a list grows.
	pageSize = 256
)

// slots are the IDs of far calls, by the slot in which they come near, in pages.
type slots struct {
	pages    map[int64][][]farCall
	reviewed int64 // the first slot that is not reviewed
	busy     bool  // a review is in progress
}

// farCall is a call with nothing due soon. It is stale if the session of the call now has
// another beginning: then the call is also in another slot, or scheduled.
type farCall struct {
	id    dialogstore.ID
	since int64
}

func (s *Scheduler) slotOf(at time.Time) int64 { return int64(at.Sub(s.base) / slot) }

// putFar puts a call that is due at a far time into its slot. s.mu is held, and s.clock is
// up to date.
func (s *Scheduler) putFar(id dialogstore.ID, session sessiontimer.Session, at time.Time) {
	if !session.Active() {
		return
	}
	s.far.put(s.slotOf(s.clock.Add(min(at.Sub(s.clock)-horizon, longest))), farCall{id, session.Since.UnixNano()})
	s.wakeBy(s.slotEnd(s.clock))
}

func (s *Scheduler) slotEnd(now time.Time) time.Time {
	return s.base.Add(time.Duration(s.slotOf(now)+1) * slot)
}

func (f *slots) put(slot int64, c farCall) {
	pages := f.pages[slot]
	if last := len(pages) - 1; last >= 0 && len(pages[last]) < pageSize {
		pages[last] = append(pages[last], c)
		return
	}
	size := 1
	if len(pages) > 0 {
		size = pageSize
	}
	f.pages[slot] = append(pages, append(make([]farCall, 0, size), c))
}

// take empties the slots before the given one.
func (f *slots) take(before int64) (pages [][]farCall) {
	for n, those := range f.pages {
		if n < before {
			pages = append(pages, those...)
			delete(f.pages, n)
		}
	}
	return pages
}

// reviewFar starts a review of the slots that are over, and returns when the present
// one ends. s.mu is held.
func (s *Scheduler) reviewFar(now time.Time) time.Time {
	if s.far.busy || len(s.far.pages) == 0 {
		return time.Time{}
	}
	if present := s.slotOf(now); s.far.reviewed < present {
		s.far.reviewed, s.far.busy = present, true
		s.workers.Run(func() { s.review(present) })
		return time.Time{}
	}
	return s.slotEnd(now)
}

// review schedules the calls of the slots before the present one.
func (s *Scheduler) review(present int64) {
	s.mu.Lock()
	pages := s.far.take(present)
	s.mu.Unlock()
	var failed error
	for _, page := range pages {
		for _, c := range page {
			if err := s.comeNear(s.ctx, c); err != nil {
				failed = err
			}
		}
	}
	if failed != nil && s.ctx.Err() == nil {
		s.cfg.Logger.Error("cannot load dialogs from the store: their refreshes may be late", "error", failed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.far.busy = false
	s.turn()
}

// comeNear schedules a call that was far, if its session is still the same. A call that
// cannot be loaded is tried again one slot later.
func (s *Scheduler) comeNear(ctx context.Context, c farCall) error {
	d, err := s.cfg.Store.Load(ctx, c.id)
	switch {
	case errors.Is(err, dialogstore.ErrNotFound):
		return nil
	case err != nil:
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.retired {
			s.far.put(s.slotOf(time.Now()), c)
		}
		return err
	case d.Session.Since.UnixNano() == c.since:
		s.schedule(&d)
	}
	return nil
}

package refresher

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// A call is idle for most of its life, and a million of them are many timers.
// What is due later than the horizon has none. It sleeps, in a list with all that
// are to be looked at in the same slot of time, and is looked at when the slot is
// over: between 10 s and the horizon before it is due.
const (
	horizon = 40 * time.Second // nearer than half of 90 s, the shortest interval of RFC 4028 §4
	slot    = 30 * time.Second
	// longestSleep bounds how long a call that is over lies here.
	longestSleep = 5 * time.Minute
	// pageSize bounds what is moved when a list grows.
	pageSize = 256
)

// sleeper is a call of which nothing is due soon. It is awake, and this of no
// more use, if its session has another beginning by now.
type sleeper struct {
	id    dialogstore.ID
	since int64
}

// far tells that nothing is due at a time within the horizon.
func far(action sessiontimer.Action, at, now time.Time) bool {
	return action == sessiontimer.Idle || at.Sub(now) > horizon
}

// sleep puts a call aside of which something is due at a time that is far. r.mu
// is held.
func (r *Scheduler) sleep(id dialogstore.ID, session sessiontimer.Session, at, now time.Time) {
	if !session.Active() || r.closed {
		return
	}
	r.lay(r.slotAt(now.Add(min(at.Sub(now)-horizon, longestSleep))), sleeper{id, session.Since.UnixNano()})
	r.lookLater()
}

// lay adds a sleeper to a slot. r.mu is held.
func (r *Scheduler) lay(slot int64, s sleeper) {
	pages := r.asleep[slot]
	if last := len(pages) - 1; last >= 0 && len(pages[last]) < pageSize {
		pages[last] = append(pages[last], s)
		return
	}
	size := 1
	if len(pages) > 0 {
		size = pageSize
	}
	r.asleep[slot] = append(pages, append(make([]sleeper, 0, size), s))
}

func (r *Scheduler) slotAt(at time.Time) int64 { return int64(at.Sub(r.base) / slot) }

// lookLater sees to it that the slot of now is looked at when it is over. r.mu is
// held.
func (r *Scheduler) lookLater() {
	if r.look == nil && !r.closed && len(r.asleep) > 0 {
		over := r.base.Add(time.Duration(r.slotAt(time.Now())+1) * slot)
		r.looks = over
		r.look = time.AfterFunc(time.Until(over), func() { r.workers.Run(r.lookAround) })
	}
}

// lookAround takes up what has come near.
func (r *Scheduler) lookAround() {
	pages, ok := r.wake()
	if !ok {
		return
	}
	var failed error
	for _, page := range pages {
		for _, s := range page {
			if err := r.takeUp(r.ctx, s); err != nil {
				failed = err
			}
		}
	}
	if failed != nil && r.ctx.Err() == nil {
		r.cfg.Logger.Error("dialogs not read, their refreshes are late", "error", failed)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look = nil
	r.lookLater()
}

// wake empties the slots that are over, unless r is closed.
func (r *Scheduler) wake() (pages [][]sleeper, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, false
	}
	at := time.Now()
	r.stalls.Look(r.looks, at)
	now := r.slotAt(at)
	for n, those := range r.asleep {
		if n < now {
			pages = append(pages, those...)
			delete(r.asleep, n)
		}
	}
	return pages, true
}

// takeUp schedules a dialog that has slept, if its session is still the same. One
// that cannot be read sleeps on for a slot.
func (r *Scheduler) takeUp(ctx context.Context, s sleeper) error {
	d, err := r.cfg.Store.Load(ctx, s.id)
	switch {
	case errors.Is(err, dialogstore.ErrNotFound):
		return nil
	case err != nil:
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.closed {
			r.lay(r.slotAt(time.Now()), s)
		}
		return err
	case d.Session.Since.UnixNano() == s.since:
		r.adopt(ctx, &d)
	}
	return nil
}

// Restore schedules every dialog of the store: after a restart, what is overdue
// is done as fast as Limits allow, the most urgent first.
func (r *Scheduler) Restore(ctx context.Context) error {
	for d, err := range r.cfg.Store.All(ctx) {
		if err != nil {
			return err
		}
		r.adopt(ctx, &d)
	}
	return nil
}

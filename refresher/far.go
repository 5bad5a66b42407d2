package refresher

import (
	"context"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// A call is idle for most of its life, and a million of them are many timers.
// What is due later than the horizon has none: a look through the store, once
// each lookEvery, finds it in time.
const (
	lookEvery = time.Minute
	horizon   = 2 * lookEvery
)

// far tells that nothing is due for a session within the horizon.
func (r *Refresher) far(id dialogstore.ID, session sessiontimer.Session, now time.Time) bool {
	action, at := session.Next(now, false)
	if action == sessiontimer.Idle {
		return true
	}
	soon := now.Add(horizon)
	if !at.After(soon) {
		return false
	}
	earliest := at.Add(-time.Duration(r.cfg.Jitter * float64(at.Sub(session.Since))))
	if earliest.After(soon) {
		return true
	}
	_, at = r.next(id, session, now, false)
	return at.After(soon)
}

// lookLater sees to it that the store is looked through, for the sake of a
// session that is far. r.mu is held.
func (r *Refresher) lookLater(session sessiontimer.Session) {
	if session.Active() && r.look == nil && !r.closed {
		r.look = time.AfterFunc(lookEvery, r.lookThrough)
	}
}

// lookThrough takes up what has come near.
func (r *Refresher) lookThrough() {
	r.mu.Lock()
	r.look = nil
	closed := r.closed
	if !closed {
		r.wg.Add(1)
	}
	r.mu.Unlock()
	if closed {
		return
	}
	defer r.wg.Done()
	if err := r.takeUp(r.ctx); err != nil && r.ctx.Err() == nil {
		r.cfg.Logger.Error("store not read, refreshes may be missed", "error", err)
		r.mu.Lock()
		r.look = time.AfterFunc(lookEvery, r.lookThrough)
		r.mu.Unlock()
	}
}

// takeUp schedules the dialogs of the store that something is due for soon.
func (r *Refresher) takeUp(ctx context.Context) error {
	var later sessiontimer.Session
	now := time.Now()
	for d, err := range r.cfg.Store.All(ctx) {
		if err != nil {
			return err
		}
		if r.far(d.ID, d.Session, now) {
			if d.Session.Active() {
				later = d.Session
			}
			continue
		}
		r.DialogChanged(ctx, dialogstore.Change{After: d})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lookLater(later)
	return nil
}

// Restore schedules every dialog of the store: after a restart, what is overdue
// is done as fast as Limits allow, the most urgent first.
func (r *Refresher) Restore(ctx context.Context) error { return r.takeUp(ctx) }

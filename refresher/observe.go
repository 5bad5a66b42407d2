package refresher

import (
	"context"
	"errors"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// DialogChanged implements dialogstore.Observer. A changed session replaces what was
// scheduled; a change of anything else does not.
func (s *Scheduler) DialogChanged(ctx context.Context, c *dialogstore.Change) {
	switch {
	case c.Deleted():
		s.forget(c.ID())
	case c.Created():
		s.schedule(&c.After)
	case c.Before.Session.Equal(c.After.Session):
	case s.schedule(&c.After):
		// Notifications may be out of order: the dialog may have ended before.
		if _, err := s.cfg.Store.Load(ctx, c.ID()); errors.Is(err, dialogstore.ErrNotFound) {
			s.forget(c.ID())
		}
	}
}

// Restore schedules every dialog of the store. After a restart, overdue refreshes are sent as
// fast as Limits allow, the most urgent first.
func (s *Scheduler) Restore(ctx context.Context) error {
	for d, err := range s.cfg.Store.All(ctx) {
		if err != nil {
			return err
		}
		s.schedule(&d)
	}
	return nil
}

// schedule schedules the refresh or the end of the session of d. It reports whether d is
// new among the calls with something due soon.
func (s *Scheduler) schedule(d *dialogstore.Dialog) (added bool) {
	hash := s.calls.hash(d.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls.find(hash, d.ID)
	switch {
	case s.retired, c != nil && !dialogstore.Newer(d.Version, c.version):
		return false
	case c == nil:
		action, at, far := s.next(&d.ID, d.Session, false)
		if far {
			s.putFar(d.ID, d.Session, at)
			return false
		}
		c = newCall(d, hash)
		s.calls.add(c)
		s.set(c, action, at)
		return true
	}
	c.version = d.Version
	if !c.session.Equal(d.Session) {
		c.begin(d.Session)
		s.plan(c)
	}
	return false
}

// reload schedules a dialog as it is stored now: notifications out of order may have led to
// an outdated schedule.
func (s *Scheduler) reload(ctx context.Context, id dialogstore.ID) {
	if d, err := s.cfg.Store.Load(ctx, id); err == nil {
		s.schedule(&d)
	}
}

// forget cancels what is scheduled for a dialog, and its refresh in progress.
func (s *Scheduler) forget(id dialogstore.ID) {
	hash := s.calls.hash(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.calls.find(hash, id); c != nil {
		if c.cancel != nil {
			c.cancel()
		}
		s.remove(c)
	}
}

package dialogstore

import (
	"context"
	"iter"
	"sync"
)

// Change is one committed change of a store. Before is zero for a dialog that
// was created, After for one that was deleted. Both are read-only. Dialog IDs are not
// reused: tags are random (RFC 3261 §19.3).
type Change struct {
	Before, After Dialog
}

// ID returns the ID of the dialog.
func (c *Change) ID() ID {
	if c.After.Version != 0 {
		return c.After.ID
	}
	return c.Before.ID
}

// Created reports whether the dialog is new.
func (c *Change) Created() bool { return c.Before.Version == 0 }

// Deleted reports whether the dialog is gone.
func (c *Change) Deleted() bool { return c.After.Version == 0 }

// Observer is notified of each change after it is committed, with no lock held, by the
// goroutine that made it. Notifications of changes that several goroutines make to one
// dialog may be out of order: compare After.Version, or Before.Version for a deletion.
type Observer interface {
	// DialogChanged may read c until it returns, and must copy what it keeps.
	DialogChanged(ctx context.Context, c *Change)
}

// changes are reused: a Change is large.
var changes = sync.Pool{New: func() any { return new(Change) }}

// Observed is a Store that notifies observers of every change made through it.
type Observed struct {
	store     Store
	observers []Observer
}

// Observe wraps store. Changes made to store directly are not observed.
func Observe(store Store, observers ...Observer) *Observed {
	return &Observed{store: store, observers: observers}
}

// Load implements Store.
func (o *Observed) Load(ctx context.Context, id ID) (Dialog, error) {
	return o.store.Load(ctx, id)
}

// Create implements Store; the dialog begins with Version 1.
func (o *Observed) Create(ctx context.Context, d Dialog) error {
	d.Version = 1
	if err := o.store.Create(ctx, d); err != nil {
		return err
	}
	o.tell(ctx, nil, &d)
	return nil
}

// Update implements Store; Version rises by one.
func (o *Observed) Update(ctx context.Context, id ID, change func(Dialog) (State, error)) (before, after Dialog, err error) {
	before, after, err = o.store.Update(ctx, id, func(d Dialog) (State, error) {
		next, err := change(d)
		next.Version = max(1, d.Version+1)
		return next, err
	})
	if err == nil {
		o.tell(ctx, &before, &after)
	}
	return before, after, err
}

// Delete implements Store.
func (o *Observed) Delete(ctx context.Context, id ID) (Dialog, error) {
	d, err := o.store.Delete(ctx, id)
	if err == nil {
		o.tell(ctx, &d, nil)
	}
	return d, err
}

// All implements Store.
func (o *Observed) All(ctx context.Context) iter.Seq2[Dialog, error] {
	return o.store.All(ctx)
}

// tell notifies the observers; before is nil for a dialog that was created, after for
// one that was deleted.
func (o *Observed) tell(ctx context.Context, before, after *Dialog) {
	if ctx.Done() != nil {
		ctx = context.WithoutCancel(ctx) // the change is committed, so observers must learn of it
	}
	c := changes.Get().(*Change)
	if before != nil {
		c.Before = *before
	}
	if after != nil {
		c.After = *after
	}
	for _, obs := range o.observers {
		obs.DialogChanged(ctx, c)
	}
	*c = Change{}
	changes.Put(c)
}

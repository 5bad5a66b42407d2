package dialogstore

import (
	"context"
	"iter"
)

// Change is one committed change of a store. Before is zero for a dialog that
// was created, After for one that was deleted. Both are the observer's to keep
// and read-only. Dialog IDs are not used twice: tags are random (RFC 3261 §19.3).
type Change struct {
	Before, After Dialog
}

// ID is the dialog's, whatever happened to it.
func (c Change) ID() ID {
	if c.After.Version != 0 {
		return c.After.ID
	}
	return c.Before.ID
}

// Created reports that the dialog is new.
func (c Change) Created() bool { return c.Before.Version == 0 }

// Deleted reports that the dialog is gone.
func (c Change) Deleted() bool { return c.After.Version == 0 }

// Observer is told of changes, after each is committed and with no lock held,
// by the goroutine that made it. Changes of one dialog made by several
// goroutines may be told out of order: After.Version, or for a deletion
// Before.Version, says which is newer.
type Observer interface {
	DialogChanged(ctx context.Context, c Change)
}

// Observed is a Store that tells observers of every change made through it.
type Observed struct {
	store     Store
	observers []Observer
}

// Observe watches store. Changes made to store directly are not seen.
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
	o.tell(ctx, &Change{After: d})
	return nil
}

// Update implements Store; Version rises by one.
func (o *Observed) Update(ctx context.Context, id ID, change func(Dialog) (Dialog, error)) (before, after Dialog, err error) {
	before, after, err = o.store.Update(ctx, id, func(d Dialog) (Dialog, error) {
		next, err := change(d)
		next.Version = d.Version + 1
		return next, err
	})
	if err == nil {
		o.tell(ctx, &Change{Before: before, After: after})
	}
	return before, after, err
}

// Delete implements Store.
func (o *Observed) Delete(ctx context.Context, id ID) (Dialog, error) {
	d, err := o.store.Delete(ctx, id)
	if err == nil {
		o.tell(ctx, &Change{Before: d})
	}
	return d, err
}

// All implements Store.
func (o *Observed) All(ctx context.Context) iter.Seq2[Dialog, error] {
	return o.store.All(ctx)
}

func (o *Observed) tell(ctx context.Context, c *Change) {
	if ctx.Done() != nil {
		ctx = context.WithoutCancel(ctx) // the change is committed; hearing of it cannot be called off
	}
	for _, obs := range o.observers {
		obs.DialogChanged(ctx, *c)
	}
}

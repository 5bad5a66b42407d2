package storetest

import (
	"context"
	"iter"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

type (
	ctx    = context.Context
	store  = dialogstore.Store
	dialog = dialogstore.Dialog
	state  = dialogstore.State
	id     = dialogstore.ID
	change = func(dialog) (state, error)
)

// broken is a store with some methods replaced.
type broken struct {
	store
	load   func(ctx, id) (dialog, error)
	create func(ctx, dialog) error
	update func(ctx, id, change) (dialog, dialog, error)
	remove func(ctx, id) (dialog, error)
	all    func(ctx) iter.Seq2[dialog, error]
}

func (b broken) Load(c ctx, i id) (dialog, error) {
	if b.load != nil {
		return b.load(c, i)
	}
	return b.store.Load(c, i)
}

func (b broken) Create(c ctx, d dialog) error {
	if b.create != nil {
		return b.create(c, d)
	}
	return b.store.Create(c, d)
}

func (b broken) Update(c ctx, i id, f change) (dialog, dialog, error) {
	if b.update != nil {
		return b.update(c, i, f)
	}
	return b.store.Update(c, i, f)
}

func (b broken) Delete(c ctx, i id) (dialog, error) {
	if b.remove != nil {
		return b.remove(c, i)
	}
	return b.store.Delete(c, i)
}

func (b broken) All(c ctx) iter.Seq2[dialog, error] {
	if b.all != nil {
		return b.all(c)
	}
	return b.store.All(c)
}

// deaf ignores contexts.
type deaf struct{ store }

func (d deaf) Load(_ ctx, i id) (dialog, error)   { return d.store.Load(context.Background(), i) }
func (d deaf) Create(_ ctx, v dialog) error       { return d.store.Create(context.Background(), v) }
func (d deaf) Delete(_ ctx, i id) (dialog, error) { return d.store.Delete(context.Background(), i) }
func (d deaf) All(ctx) iter.Seq2[dialog, error]   { return d.store.All(context.Background()) }
func (d deaf) Update(_ ctx, i id, f change) (dialog, dialog, error) {
	return d.store.Update(context.Background(), i, f)
}

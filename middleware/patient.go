package middleware

import (
	"context"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// storePatience bounds how long a message waits for a store.
const storePatience = 2 * time.Second

// patient bounds the operations of a store that may be far away.
type patient struct{ dialogstore.Store }

// Load implements dialogstore.Store.
func (p patient) Load(ctx context.Context, id dialogstore.ID) (dialogstore.Dialog, error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	return p.Store.Load(ctx, id)
}

// Create implements dialogstore.Store.
func (p patient) Create(ctx context.Context, d dialogstore.Dialog) error {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	return p.Store.Create(ctx, d)
}

// Update implements dialogstore.Store.
func (p patient) Update(ctx context.Context, id dialogstore.ID,
	change func(dialogstore.Dialog) (dialogstore.Dialog, error)) (before, after dialogstore.Dialog, err error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	return p.Store.Update(ctx, id, change)
}

// Delete implements dialogstore.Store.
func (p patient) Delete(ctx context.Context, id dialogstore.ID) (dialogstore.Dialog, error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	return p.Store.Delete(ctx, id)
}

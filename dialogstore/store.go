// Package dialogstore keeps what is known of each dialog as a plain value, and
// tells observers of every change. A [Store] is the contract, [Memory] the
// store of one process, [Observe] the way to watch any store; package storetest
// is the suite for authors of other stores.
package dialogstore

import (
	"context"
	"errors"
	"iter"
)

// ErrNotFound is returned, possibly wrapped, for a dialog that is not there.
var ErrNotFound = errors.New("dialogstore: no such dialog")

// Store keeps dialogs. Any number of goroutines may call any method at once.
// Values go in and out by copy; what their slices hold is read-only for both
// sides, and an append to a slice that was returned is harmless. Nil and empty
// slices are the same. IDs compare byte by byte. Times keep their nanoseconds
// but may lose zone and monotonic reading; strings are valid UTF-8.
//
// A context that is done gives its error, which is neither ErrNotFound nor
// ErrExists. With an error the other results mean nothing.
type Store interface {
	// Load returns the dialog, or an error that wraps ErrNotFound.
	Load(ctx context.Context, id ID) (Dialog, error)

	// Create adds the dialog d.ID. It returns an error that wraps ErrExists,
	// and changes nothing, if there is one already.
	Create(ctx context.Context, d Dialog) error

	// Update replaces the dialog by what change makes of it, atomically: of
	// several updates at once each sees the outcome of the one before. change
	// may run more than once and must do nothing but compute. If it returns an
	// error nothing changes and Update returns that error. Update returns the
	// value before and the one stored, or an error that wraps ErrNotFound. The
	// ID cannot be changed; a change of it is ignored.
	Update(ctx context.Context, id ID, change func(Dialog) (Dialog, error)) (before, after Dialog, err error)

	// Delete removes the dialog and returns what it was, or an error that
	// wraps ErrNotFound. Of several calls at once exactly one succeeds.
	Delete(ctx context.Context, id ID) (Dialog, error)

	// All yields every dialog, in no order. A dialog that is created, changed
	// or deleted meanwhile may or may not show, but never half. An error ends
	// the sequence. The loop may call any other method of the store.
	All(ctx context.Context) iter.Seq2[Dialog, error]
}

// ErrExists is returned, possibly wrapped, by Create for a dialog that is there.
var ErrExists = errors.New("dialogstore: dialog exists")

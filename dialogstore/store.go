// Package dialogstore keeps each dialog as a plain value, and notifies observers of
// every change. [Store] is the contract, [Memory] the store of one process, and
// [Observe] watches any store. Package storetest is the test suite for authors of other
// stores.
package dialogstore

import (
	"context"
	"errors"
	"iter"
)

// ErrNotFound is returned, possibly wrapped, for a dialog that does not exist.
var ErrNotFound = errors.New("dialogstore: no such dialog")

// Store keeps dialogs. Any number of goroutines may call any method at once. Values go
// in and out by copy. The contents of their slices are read-only for both sides, and
// appending to a returned slice is harmless. Nil and empty slices are equivalent. IDs
// compare byte by byte. Times keep their nanoseconds but may lose zone and monotonic
// reading. Strings are valid UTF-8.
//
// If the context is done, methods return its error, which is neither ErrNotFound nor
// ErrExists. After an error the other results are meaningless.
type Store interface {
	// Load returns the dialog, or an error that wraps ErrNotFound.
	Load(ctx context.Context, id ID) (Dialog, error)

	// Create adds d. If a dialog with its ID exists, Create changes nothing and
	// returns an error that wraps ErrExists.
	Create(ctx context.Context, d Dialog) error

	// Update atomically replaces the State of the dialog by the result of change:
	// concurrent updates each see the outcome of the one before. change may run more
	// than once and must have no side effects. If it returns an error nothing changes
	// and Update returns that error. Update returns the dialog before and after, or an
	// error that wraps ErrNotFound.
	Update(ctx context.Context, id ID, change func(Dialog) (State, error)) (before, after Dialog, err error)

	// Delete removes the dialog and returns it, or an error that wraps ErrNotFound.
	// Of several concurrent calls exactly one succeeds.
	Delete(ctx context.Context, id ID) (Dialog, error)

	// All yields every dialog, in no particular order. A dialog that is created or deleted
	// meanwhile may or may not appear; each is yielded as it was at one moment. An error
	// ends the sequence. The loop may call any method of the store.
	All(ctx context.Context) iter.Seq2[Dialog, error]
}

// ErrExists is returned, possibly wrapped, by Create for a dialog that exists.
var ErrExists = errors.New("dialogstore: dialog exists")

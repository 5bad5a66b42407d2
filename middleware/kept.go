package middleware

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
)

// storePatience bounds how long a message waits for the application's store.
const storePatience = 2 * time.Second

// kept is the store that this process works with: its own memory, of which the
// application's store gets a copy for the process that comes after it. So a
// store that fails or is slow costs the copy, and never the timer or the call. What
// strangers can make alone, a dialog whose peer is unproved, is not copied.
type kept struct {
	*dialogstore.Memory
	copies   dialogstore.Store
	unproved *sync.Map // of the IDs of dialogs that are not copied yet
	policy   sessiontimer.Policy
	log      *slog.Logger
}

// adopt takes over what the process before left. Its times count on by the
// monotonic clock, which nobody sets. A row that could make a request say what
// nobody said is left out, and one without a policy that makes sense gets ours.
func (k kept) adopt(ctx context.Context) error {
	now := time.Now()
	for d, err := range k.copies.All(ctx) {
		if err != nil {
			return err
		}
		if err := d.Check(); err != nil {
			k.log.Error("stored dialog refused", "call_id", strconv.Quote(d.CallID), "error", err)
			continue
		}
		d.Version = max(1, d.Version)
		if d.Policy.Validate() != nil || d.Policy.Mode == sessiontimer.Off {
			d.Policy = k.policy
		}
		if d.Session.Active() {
			d.Session.Since = now.Add(d.Session.Since.Sub(now))
		}
		if err := k.Memory.Create(ctx, d); err != nil && !errors.Is(err, dialogstore.ErrExists) {
			return err
		}
	}
	return nil
}

// Create implements dialogstore.Store.
func (k kept) Create(ctx context.Context, d dialogstore.Dialog) error {
	if d.OwnsCallID {
		err := k.Memory.Create(ctx, d)
		if err == nil {
			k.copy(ctx, d)
		}
		return err
	}
	_, already := k.unproved.LoadOrStore(d.ID, nil)
	err := k.Memory.Create(ctx, d)
	if err != nil && !already {
		k.unproved.Delete(d.ID)
	}
	return err
}

// Update implements dialogstore.Store.
func (k kept) Update(ctx context.Context, id dialogstore.ID,
	change func(dialogstore.Dialog) (dialogstore.Dialog, error)) (before, after dialogstore.Dialog, err error) {
	if before, after, err = k.Memory.Update(ctx, id, change); err == nil && !k.isUnproved(id) {
		k.copy(ctx, after)
	}
	return before, after, err
}

// Delete implements dialogstore.Store.
func (k kept) Delete(ctx context.Context, id dialogstore.ID) (dialogstore.Dialog, error) {
	d, err := k.Memory.Delete(ctx, id)
	if _, never := k.unproved.LoadAndDelete(id); err == nil && !never {
		k.forget(ctx, id)
	}
	return d, err
}

// proved has a dialog copied from now on.
func (k kept) proved(ctx context.Context, id dialogstore.ID) {
	k.unproved.Delete(id)
	if d, err := k.Memory.Load(ctx, id); err == nil {
		k.copy(ctx, d)
	}
}

func (k kept) isUnproved(id dialogstore.ID) bool {
	_, is := k.unproved.Load(id)
	return is
}

// copy puts d into the application's store unless a later version is there.
func (k kept) copy(ctx context.Context, d dialogstore.Dialog) {
	ctx, cancel := context.WithTimeout(calls.Detached(ctx), storePatience)
	defer cancel()
	defer k.contain(d.ID)
	newer := func(there dialogstore.Dialog) (dialogstore.Dialog, error) {
		if dialogstore.Newer(there.Version, d.Version) {
			return there, nil
		}
		return d, nil
	}
	_, _, err := k.copies.Update(ctx, d.ID, newer)
	if errors.Is(err, dialogstore.ErrNotFound) {
		err = k.copies.Create(ctx, d)
	}
	if errors.Is(err, dialogstore.ErrExists) {
		_, _, err = k.copies.Update(ctx, d.ID, newer) // another version came first
	}
	if err != nil {
		k.warn("dialog not stored, a restart would lose it", d.ID, err)
	}
	if _, err := k.Memory.Load(ctx, d.ID); errors.Is(err, dialogstore.ErrNotFound) {
		k.forget(ctx, d.ID) // it ended meanwhile, and the copy may have come after
	}
}

func (k kept) forget(ctx context.Context, id dialogstore.ID) {
	ctx, cancel := context.WithTimeout(calls.Detached(ctx), storePatience)
	defer cancel()
	defer k.contain(id)
	if _, err := k.copies.Delete(ctx, id); err != nil && !errors.Is(err, dialogstore.ErrNotFound) {
		k.warn("ended dialog stays in the store, a restart would end it once more", id, err)
	}
}

// contain is deferred around what the application's store does.
func (k kept) contain(id dialogstore.ID) {
	if v := recover(); v != nil {
		calls.LogPanic(k.log, "store", id, v)
	}
}

func (k kept) warn(text string, id dialogstore.ID, err error) {
	k.log.Warn(text, "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag, "error", err)
}

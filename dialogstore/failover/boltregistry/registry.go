package boltregistry

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/bounded"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/stored"
)

// Registry is a failover.Registry, and a failover.Reader, in a file. Create one with Open.
// Any number of goroutines may use it.
type Registry struct {
	db     *bbolt.DB
	calls  *bounded.Calls
	codec  stored.Codec
	opened time.Time
	ahead  atomic.Int64 // in tests, of the clock
}

var _ failover.Reader = (*Registry)(nil)

const (
	// mostCalls bounds the method calls in progress, including those whose caller no
	// longer waits; timeout bounds how long a caller waits.
	mostCalls = 512
	timeout   = 5 * time.Second
	// gather is how long a write waits for other writes to be committed together with it.
	gather = 2 * time.Millisecond
)

// ErrClosed is returned by all methods after Close.
var ErrClosed = errors.New("boltregistry: closed")

// Close closes the file, after the writes in progress. Call it when nothing uses the
// Registry any more: after Timers.Close.
func (r *Registry) Close() error { return r.db.Close() }

// now is the clock of the Registry, in milliseconds. It is monotonic within a run of the
// process.
func (r *Registry) now() int64 {
	return r.opened.Add(time.Since(r.opened) + time.Duration(r.ahead.Load())).UnixMilli()
}

// view reads.
func view[R any](ctx context.Context, r *Registry, f func(s *state) (R, error)) (R, error) {
	return bounded.Do(ctx, r.calls, func(context.Context) (result R, err error) {
		err = r.db.View(func(tx *bbolt.Tx) (err error) {
			result, err = f(&state{tx, r.now()})
			return err
		})
		return result, wrap(err)
	})
}

// update writes. f may run more than once, and must have no effects but those on the
// state and its result.
func update[R any](ctx context.Context, r *Registry, f func(s *state) (R, error)) (R, error) {
	return bounded.Do(ctx, r.calls, func(context.Context) (result R, err error) {
		err = r.db.Batch(func(tx *bbolt.Tx) (err error) {
			s := &state{tx, r.now()}
			if err := s.sweep(); err != nil {
				return err
			}
			result, err = f(s)
			return err
		})
		return result, wrap(err)
	})
}

func wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return ErrClosed
	}
	return fmt.Errorf("boltregistry: %w", err)
}

package sim

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// link is the way of one life of a node to the registry, with all that can happen to
// it. It notes what was granted for the judge.
type link struct {
	to   failover.Registry
	r    *registry
	n    *node
	life int // of n
}

var (
	errDown  = errors.New("sim: the registry is down")
	errLost  = errors.New("sim: the reply was lost")
	errEnded = errors.New("sim: the node has crashed")
)

// over does call as things are now. A node that stands still asks when it goes on.
func over[T any](ctx context.Context, l *link, call func() (T, error)) (T, error) {
	var none T
	for {
		paused, err := l.n.standsStill(l.life)
		switch {
		case err != nil:
			return none, err
		case paused <= 0:
			c := l.r.conditions(l.n)
			if err := wait(ctx, c.before); err != nil {
				return none, err
			}
			if c.down {
				return none, errDown
			}
			v, err := call()
			if c.lost && err == nil {
				_ = wait(ctx, time.Hour)
				return none, errLost
			}
			return v, err
		}
		if err := wait(ctx, paused); err != nil {
			return none, err
		}
	}
}

// wait returns early with the error of ctx.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// standsStill is how long n is still paused; an error if this life of it has ended.
func (n *node) standsStill(life int) (time.Duration, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.up || n.lives != life {
		return 0, errEnded
	}
	return n.until - n.w.now(), nil
}

// Beat implements failover.Registry.
func (l *link) Beat(ctx context.Context, me failover.Node) (failover.Pulse, error) {
	l.r.met(me, l.n, l.life)
	return over(ctx, l, func() (failover.Pulse, error) { return l.to.Beat(ctx, me) })
}

// Leave implements failover.Registry.
func (l *link) Leave(ctx context.Context, me failover.Node) error {
	_, err := over(ctx, l, func() (struct{}, error) { return struct{}{}, l.to.Leave(ctx, me) })
	return err
}

// Bury implements failover.Registry.
func (l *link) Bury(ctx context.Context, node failover.Node, count uint64) (bool, error) {
	return over(ctx, l, func() (bool, error) { return l.to.Bury(ctx, node, count) })
}

// Put implements failover.Registry.
func (l *link) Put(ctx context.Context, me failover.Node, entries []failover.Entry) ([]error, error) {
	return over(ctx, l, func() ([]error, error) {
		errs, err := l.to.Put(ctx, me, entries)
		for i := range errs {
			l.r.put(l.n, me, entries[i].Key(), errs[i])
		}
		return errs, err
	})
}

// Drop implements failover.Registry.
func (l *link) Drop(ctx context.Context, me failover.Node, keys []failover.Key) ([]error, error) {
	return over(ctx, l, func() ([]error, error) { return l.to.Drop(ctx, me, keys) })
}

// Claim implements failover.Registry.
func (l *link) Claim(ctx context.Context, me, from failover.Node, keys []failover.Key) ([]failover.Claimed, error) {
	return over(ctx, l, func() ([]failover.Claimed, error) {
		claimed, err := l.to.Claim(ctx, me, from, keys)
		for i := range claimed {
			if claimed[i].Err == nil {
				l.r.claimed(l.n, me, from, claimed[i].Key())
			}
		}
		return claimed, err
	})
}

// Owned implements failover.Registry.
func (l *link) Owned(ctx context.Context, owner failover.Node, limit int) ([]failover.Held, error) {
	return over(ctx, l, func() ([]failover.Held, error) { return l.to.Owned(ctx, owner, limit) })
}

// Owner implements failover.Registry.
func (l *link) Owner(ctx context.Context, ids []dialogstore.ID) ([]failover.Ownership, error) {
	return over(ctx, l, func() ([]failover.Ownership, error) { return l.to.Owner(ctx, ids) })
}

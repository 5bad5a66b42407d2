package boltregistry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/stored"
)

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// putting is an entry, encoded.
type putting struct {
	id            dialogstore.ID
	epoch         uint64
	version       uint64
	age, interval int64 // interval is 0 without a timer
	hot, cold     []byte
}

// Put implements failover.Registry.
func (r *Registry) Put(ctx context.Context, me failover.Node, entries []failover.Entry) ([]error, error) {
	if len(entries) == 0 {
		return nil, ctx.Err()
	}
	all := make([]putting, len(entries))
	for i := range entries {
		e := &entries[i]
		p := putting{id: e.Dialog.ID, epoch: e.Epoch, version: e.Dialog.Version, age: e.Age.Milliseconds()}
		if s := e.Dialog.Session; s.Active() {
			p.interval = max(1, s.Interval.Milliseconds())
		}
		var err error
		if p.hot, p.cold, err = r.codec.Encode(&e.Dialog); err != nil {
			return nil, err
		}
		all[i] = p
	}
	owner := stored.NodeName(me)
	errs, err := update(ctx, r, func(s *state) ([]error, error) {
		return results(len(all), func(i int) (error, error) { return s.putCall(owner, &all[i]) })
	})
	r.forget(errs)
	return errs, err
}

// results collects a result for each element of a batch. An error ends it.
func results[R any](n int, f func(i int) (R, error)) ([]R, error) {
	all := make([]R, n)
	for i := range all {
		var err error
		if all[i], err = f(i); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// forget forgets the unknown members of calls that we do not own.
func (r *Registry) forget(errs []error) {
	for _, err := range errs {
		var fenced *failover.FencedError
		if errors.As(err, &fenced) {
			r.codec.Forget(fenced.ID)
		}
	}
}

func (s *state) putCall(me string, p *putting) (refused, err error) {
	name := stored.IDName(p.id)
	old := s.call(name)
	if refused := old.fence(me, p.id, p.epoch); refused != nil {
		return refused, nil
	}
	if old != nil && old.Epoch == p.epoch && p.version <= old.Version {
		again := *old
		if again.Deadline != 0 {
			return nil, nil // as it is
		}
		return nil, s.keep(name, &again, old)
	}
	c := &callRecord{Owner: me, Epoch: p.epoch, Version: p.version, Since: s.now - p.age, Hot: p.hot, Cold: p.cold}
	if p.interval > 0 {
		c.Deadline = max(1, c.Since+p.interval)
	}
	return nil, s.keep(name, c, old)
}

// Drop implements failover.Registry.
func (r *Registry) Drop(ctx context.Context, me failover.Node, keys []failover.Key) ([]error, error) {
	if len(keys) == 0 {
		return nil, ctx.Err()
	}
	keys, owner := slices.Clone(keys), stored.NodeName(me)
	errs, err := update(ctx, r, func(s *state) ([]error, error) {
		return results(len(keys), func(i int) (error, error) { return s.dropCall(owner, keys[i]) })
	})
	for _, k := range keys {
		r.codec.Forget(k.ID)
	}
	return errs, err
}

func (s *state) dropCall(me string, k failover.Key) (refused, err error) {
	name := stored.IDName(k.ID)
	old := s.call(name)
	again := old != nil && old.Owner == "" && old.Epoch == k.Epoch
	if refused := old.fence(me, k.ID, k.Epoch); refused != nil && !again {
		return refused, nil
	}
	return nil, s.keep(name, &callRecord{Epoch: k.Epoch}, old)
}

// Claim implements failover.Registry.
func (r *Registry) Claim(ctx context.Context, me, from failover.Node, keys []failover.Key) ([]failover.Claimed, error) {
	if len(keys) == 0 {
		return nil, ctx.Err()
	}
	keys, taker, owner := slices.Clone(keys), stored.NodeName(me), stored.NodeName(from)
	claimed, err := update(ctx, r, func(s *state) ([]claimed, error) {
		return results(len(keys), func(i int) (claimed, error) { return s.claimCall(taker, owner, keys[i]) })
	})
	if err != nil {
		return nil, err
	}
	all := make([]failover.Claimed, len(keys))
	for i := range all {
		all[i] = r.claimed(keys[i], &claimed[i])
	}
	return all, nil
}

// claimed is a call that was claimed, or why it was not.
type claimed struct {
	*callRecord
	age     int64
	refused error
}

func (s *state) claimCall(me, from string, k failover.Key) (claimed, error) {
	name := stored.IDName(k.ID)
	old := s.call(name)
	switch {
	case old == nil:
		return claimed{refused: failover.ErrUnknown}, nil
	case old.Owner == me && old.Epoch == k.Epoch+1: // claimed before
		return claimed{old, s.now - old.Since, nil}, nil
	case old.Owner != from || old.Epoch != k.Epoch:
		return claimed{refused: &failover.FencedError{ID: k.ID, Ownership: stored.Ownership(old.Owner, old.Epoch)}}, nil
	}
	c := *old
	c.Owner, c.Epoch, c.Version = me, k.Epoch+1, 0
	return claimed{&c, s.now - c.Since, nil}, s.keep(name, &c, old)
}

func (r *Registry) claimed(k failover.Key, c *claimed) failover.Claimed {
	if c.refused != nil {
		return failover.Claimed{Err: c.refused}
	}
	d, err := r.codec.Claimed(k.ID, c.Hot, c.Cold)
	if err != nil {
		d, err = dialogstore.Dialog{Origin: dialogstore.Origin{ID: k.ID}}, &failover.CorruptError{ID: k.ID, Reason: err}
	}
	return failover.Claimed{Entry: failover.Entry{Epoch: c.Epoch, Dialog: d, Age: ms(c.age)}, Err: err}
}

package boltregistry

import (
	"context"
	"slices"
	"strings"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/internal/stored"
)

// Owned implements failover.Registry.
func (r *Registry) Owned(ctx context.Context, owner failover.Node, limit int) ([]failover.Held, error) {
	return view(ctx, r, func(s *state) (held []failover.Held, err error) {
		for h := range s.owned(stored.NodeName(owner)) {
			if len(held) >= limit {
				break
			}
			held = append(held, h)
		}
		return held, nil
	})
}

// owned yields the calls of a node by deadline.
func (s *state) owned(node string) func(yield func(failover.Held) bool) {
	return func(yield func(failover.Held) bool) {
		prefix, c := ownedPrefix(node), s.Bucket(bucketOwned).Cursor()
		for k, v := c.Seek([]byte(prefix)); strings.HasPrefix(string(k), prefix); k, v = c.Next() {
			if h, kept := s.held(prefix, k, v); kept && !yield(h) {
				return
			}
		}
	}
}

// Owner implements failover.Registry.
func (r *Registry) Owner(ctx context.Context, ids []dialogstore.ID) ([]failover.Ownership, error) {
	ids = slices.Clone(ids)
	return view(ctx, r, func(s *state) ([]failover.Ownership, error) {
		return results(len(ids), func(i int) (o failover.Ownership, err error) {
			if c := s.call(stored.IDName(ids[i])); c != nil {
				o = stored.Ownership(c.Owner, c.Epoch)
			}
			return o, nil
		})
	})
}

// Read implements failover.Reader.
func (r *Registry) Read(ctx context.Context, ids []dialogstore.ID) ([]failover.Entry, error) {
	ids = slices.Clone(ids)
	return view(ctx, r, func(s *state) ([]failover.Entry, error) {
		return results(len(ids), func(i int) (e failover.Entry, err error) {
			c := s.call(stored.IDName(ids[i]))
			if c == nil || c.Owner == "" {
				return e, nil
			}
			if d, err := stored.Decode(ids[i], c.Hot, c.Cold); err == nil {
				e = failover.Entry{Epoch: c.Epoch, Dialog: d, Age: ms(s.now - c.Since)}
			}
			return e, nil
		})
	})
}

package dialogstore

import (
	"context"
	"hash/maphash"
	"iter"
)

// Memory is a Store in the memory of one process. The zero Memory is empty and ready
// for use. It must not be copied after first use.
//
// A change function runs without a lock, and runs again if another goroutine was faster.
// If the context is done, methods return its error and change nothing.
//
// A dialog takes about 400 bytes besides the strings of its ID and its session
// descriptions, which it shares with its creator. Values that most calls of a user
// agent have in common, such as Policy and Contact, are stored once.
type Memory struct {
	shards [shardCount]shard
}

const shardCount = 64 // a power of two

// seed is random, so that no peer can choose IDs with colliding hashes.
var seed = maphash.MakeSeed()

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return new(Memory) }

// Len returns the number of dialogs.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		n += m.shards[i].len()
	}
	return n
}

// Load implements Store.
func (m *Memory) Load(ctx context.Context, id ID) (Dialog, error) {
	if err := ctx.Err(); err != nil {
		return Dialog{}, err
	}
	s, hash := m.shard(id)
	if r := s.get(hash, id); r != nil {
		return r.dialog(), nil
	}
	return Dialog{}, ErrNotFound
}

// Create implements Store.
func (m *Memory) Create(ctx context.Context, d Dialog) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s, hash := m.shard(d.ID)
	if !s.add(hash, newRecord(&d)) {
		return ErrExists
	}
	return nil
}

// Update implements Store.
func (m *Memory) Update(ctx context.Context, id ID, change func(Dialog) (State, error)) (before, after Dialog, err error) {
	s, hash := m.shard(id)
	for {
		if err := ctx.Err(); err != nil {
			return Dialog{}, Dialog{}, err
		}
		old := s.get(hash, id)
		if old == nil {
			return Dialog{}, Dialog{}, ErrNotFound
		}
		before := old.dialog()
		state, err := change(before)
		if err != nil {
			return Dialog{}, Dialog{}, err
		}
		next := old.with(&before.Origin, &state)
		if s.swap(hash, old, next) {
			return before, next.dialog(), nil
		}
	}
}

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, id ID) (Dialog, error) {
	if err := ctx.Err(); err != nil {
		return Dialog{}, err
	}
	s, hash := m.shard(id)
	if r := s.remove(hash, id); r != nil {
		return r.dialog(), nil
	}
	return Dialog{}, ErrNotFound
}

// All implements Store. No lock is held while the body of the loop runs.
func (m *Memory) All(ctx context.Context) iter.Seq2[Dialog, error] {
	return func(yield func(Dialog, error) bool) {
		var page []*record
		for i := range m.shards {
			page = m.shards[i].appendTo(page[:0])
			if !yieldPage(ctx, page, yield) {
				return
			}
		}
	}
}

// yieldPage reports whether the loop goes on. It checks the context for an empty page
// too, so that an empty store also yields the context's error.
func yieldPage(ctx context.Context, page []*record, yield func(Dialog, error) bool) bool {
	for _, r := range page {
		if ctx.Err() != nil {
			break
		}
		if !yield(r.dialog(), nil) {
			return false
		}
	}
	if err := ctx.Err(); err != nil {
		yield(Dialog{}, err)
		return false
	}
	return true
}

// shard returns where the dialog is, or would be.
func (m *Memory) shard(id ID) (s *shard, hash uint64) {
	hash = maphash.Comparable(seed, id)
	return &m.shards[hash%shardCount], hash
}

package dialogstore

import (
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"sync"
)

// Memory is the Store of one process. Its dialogs end with it. The zero Memory
// is empty and ready; it must not be copied after first use.
//
// A change function runs without a lock, and runs again if another goroutine
// was faster. A context that is done gives its error, and nothing changes.
type Memory struct {
	shards [shardCount]shard
}

const shardCount = 64 // a power of two

// shard is a part of the dialogs. What its map points to is never written to
// again: an update puts another Dialog in its place. So a pointer is a snapshot,
// and whoever finds the same pointer again knows that nothing has changed.
type shard struct {
	mu      sync.Mutex
	dialogs map[ID]*Dialog
	_       [48]byte // to a cache line of its own
}

// seed is random, so that no peer can choose Call-IDs that meet in one shard.
var seed = maphash.MakeSeed()

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return new(Memory) }

// Len is the number of dialogs.
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
	if d := m.shard(id).get(id); d != nil {
		return *d, nil
	}
	return Dialog{}, notFound(id)
}

// Create implements Store.
func (m *Memory) Create(ctx context.Context, d Dialog) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !m.shard(d.ID).add(snapshot(d)) {
		return fmt.Errorf("%w: Call-ID %s", ErrExists, d.CallID)
	}
	return nil
}

// Update implements Store.
func (m *Memory) Update(ctx context.Context, id ID, change func(Dialog) (Dialog, error)) (before, after Dialog, err error) {
	s := m.shard(id)
	for {
		if err := ctx.Err(); err != nil {
			return Dialog{}, Dialog{}, err
		}
		old := s.get(id)
		if old == nil {
			return Dialog{}, Dialog{}, notFound(id)
		}
		after, err := change(*old)
		if err != nil {
			return Dialog{}, Dialog{}, err
		}
		after.ID = old.ID
		next := snapshot(after)
		if s.swap(old, next) {
			return *old, *next, nil
		}
	}
}

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, id ID) (Dialog, error) {
	if err := ctx.Err(); err != nil {
		return Dialog{}, err
	}
	if d := m.shard(id).remove(id); d != nil {
		return *d, nil
	}
	return Dialog{}, notFound(id)
}

// All implements Store. No lock is held while the body of the loop runs.
func (m *Memory) All(ctx context.Context) iter.Seq2[Dialog, error] {
	return func(yield func(Dialog, error) bool) {
		var page []*Dialog
		for i := range m.shards {
			page = m.shards[i].appendTo(page[:0])
			if !yieldPage(ctx, page, yield) {
				return
			}
		}
	}
}

// yieldPage reports whether the loop goes on. A page without dialogs looks at
// the context too, so that an empty store also tells that it is done.
func yieldPage(ctx context.Context, page []*Dialog, yield func(Dialog, error) bool) bool {
	for _, d := range page {
		if ctx.Err() != nil {
			break
		}
		if !yield(*d, nil) {
			return false
		}
	}
	if err := ctx.Err(); err != nil {
		yield(Dialog{}, err)
		return false
	}
	return true
}

// shard keeps the forks of a call together, since they share its Call-ID.
func (m *Memory) shard(id ID) *shard {
	return &m.shards[maphash.String(seed, id.CallID)%shardCount]
}

// snapshot is what the map keeps of d. Without spare capacity in its slices,
// an append to a copy never writes to what another copy sees.
func snapshot(d Dialog) *Dialog {
	d.RouteSet = slices.Clip(d.RouteSet)
	d.SDP = slices.Clip(d.SDP)
	d.PeerSDP = slices.Clip(d.PeerSDP)
	return &d
}

func notFound(id ID) error {
	return fmt.Errorf("%w: Call-ID %s", ErrNotFound, id.CallID)
}

package dialogstore_test

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// mutexMap is what one would write without a store: a map under a mutex, whose values are
// changed in place.
type mutexMap struct {
	mu      sync.Mutex
	dialogs map[dialogstore.ID]*dialogstore.Dialog
}

func newMutexMap() *mutexMap {
	return &mutexMap{dialogs: make(map[dialogstore.ID]*dialogstore.Dialog)}
}

func (m *mutexMap) Create(_ context.Context, d dialogstore.Dialog) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dialogs[d.ID] = &d
	return nil
}

func (m *mutexMap) Load(_ context.Context, id dialogstore.ID) (dialogstore.Dialog, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.dialogs[id]; d != nil {
		return *d, nil
	}
	return dialogstore.Dialog{}, dialogstore.ErrNotFound
}

func (m *mutexMap) Update(_ context.Context, id dialogstore.ID, change func(dialogstore.Dialog) (dialogstore.State, error)) (before, after dialogstore.Dialog, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.dialogs[id]
	if d == nil {
		return before, after, dialogstore.ErrNotFound
	}
	before = *d
	if after.State, err = change(before); err == nil {
		after.Origin = before.Origin
		*d = after
	}
	return before, after, err
}

func (m *mutexMap) All(context.Context) iter.Seq2[dialogstore.Dialog, error] {
	return func(yield func(dialogstore.Dialog, error) bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, d := range m.dialogs {
			if !yield(*d, nil) {
				return
			}
		}
	}
}

// measured is the interface of both.
type measured interface {
	Create(context.Context, dialogstore.Dialog) error
	Load(context.Context, dialogstore.ID) (dialogstore.Dialog, error)
	Update(context.Context, dialogstore.ID, func(dialogstore.Dialog) (dialogstore.State, error)) (before, after dialogstore.Dialog, err error)
	All(context.Context) iter.Seq2[dialogstore.Dialog, error]
}

// each runs a benchmark of a store with the typical calls of ids in it.
func each(b *testing.B, run func(b *testing.B, s measured, ids []dialogstore.ID)) {
	eachEmpty(b, func(b *testing.B, empty func() measured, ids []dialogstore.ID) {
		s := empty()
		fill(b, s, ids)
		runtime.GC()
		b.ReportAllocs()
		run(b, s, ids)
	})
}

func eachEmpty(b *testing.B, run func(b *testing.B, empty func() measured, ids []dialogstore.ID)) {
	for _, calls := range []int{1_000, 100_000, 1_000_000} {
		for _, store := range []struct {
			name  string
			empty func() measured
		}{
			{"memory", func() measured { return dialogstore.NewMemory() }},
			{"mutexmap", func() measured { return newMutexMap() }},
		} {
			b.Run(fmt.Sprintf("store=%s/calls=%d", store.name, calls), func(b *testing.B) {
				run(b, store.empty, typicalIDs(calls))
			})
		}
	}
}

func fill(b *testing.B, s measured, ids []dialogstore.ID) {
	for i, id := range ids {
		if err := s.Create(b.Context(), typical(id, i)); err != nil {
			b.Fatal(err)
		}
	}
}

// stride leads through all calls in an order that a cache cannot predict. It is a prime.
const stride = 514_229

func BenchmarkLoad(b *testing.B) {
	each(b, func(b *testing.B, s measured, ids []dialogstore.ID) {
		i := 0
		for b.Loop() {
			i = (i + stride) % len(ids)
			if _, err := s.Load(b.Context(), ids[i]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	each(b, func(b *testing.B, s measured, ids []dialogstore.ID) {
		i := 0
		for b.Loop() {
			i = (i + stride) % len(ids)
			if _, _, err := s.Update(b.Context(), ids[i], refreshed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUpdateParallel(b *testing.B) {
	each(b, func(b *testing.B, s measured, ids []dialogstore.ID) {
		var workers atomic.Int64
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			i := int(workers.Add(1)) * len(ids) / 7
			for pb.Next() {
				i = (i + stride) % len(ids)
				if _, _, err := s.Update(b.Context(), ids[i], refreshed); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkAll is one pass through the whole store.
func BenchmarkAll(b *testing.B) {
	each(b, func(b *testing.B, s measured, ids []dialogstore.ID) {
		for b.Loop() {
			n := 0
			for range s.All(b.Context()) {
				n++
			}
			if n != len(ids) {
				b.Fatalf("All yields %d dialogs, want %d", n, len(ids))
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ids)), "ns/dialog")
	})
}

// BenchmarkBytes measures the memory of an idle dialog, besides its ID and its session
// descriptions.
func BenchmarkBytes(b *testing.B) {
	eachEmpty(b, func(b *testing.B, empty func() measured, ids []dialogstore.ID) {
		for b.Loop() {
			s, before := empty(), heap()
			fill(b, s, ids)
			b.ReportMetric((float64(heap())-float64(before))/float64(len(ids)), "B/dialog")
			runtime.KeepAlive(s)
		}
		runtime.KeepAlive(ids)
	})
}

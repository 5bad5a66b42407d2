package ownership

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/fresh"
)

// idle is a node of which nothing is written: it has not started.
func idle(t testing.TB) *Node {
	s, err := failover.Configure()
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Registry: failover.NewMemory(), Settings: s, Policy: sessiontimer.DefaultPolicy(), Logger: slog.New(slog.DiscardHandler)})
}

// A commit costs what it costs in memory, and one allocation at most.
func TestCommitAllocations(t *testing.T) {
	ctx, d, alone := context.Background(), call("one"), dialogstore.NewMemory()
	n := idle(t)
	update := func(s dialogstore.Store) func() {
		if err := s.Create(ctx, d); err != nil {
			t.Fatal(err)
		}
		return func() {
			_, _, _ = s.Update(ctx, d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
				d.LocalCSeq++
				return d.State, nil
			})
		}
	}
	with, without := testing.AllocsPerRun(1000, update(n)), testing.AllocsPerRun(1000, update(alone))
	if with > without {
		t.Errorf("an update allocates %v times, %v in memory alone", with, without)
	}
	i := 0
	calls := func(s dialogstore.Store) func() {
		return func() {
			i++
			d := call("two")
			d.OwnsCallID = i%2 == 0
			_ = s.Create(ctx, d)
			_, _ = s.Delete(ctx, d.ID)
		}
	}
	with, without = testing.AllocsPerRun(1000, calls(n)), testing.AllocsPerRun(1000, calls(alone))
	if with > without+1 {
		t.Errorf("a call allocates %v times, %v in memory alone", with, without)
	}
}

// What a call takes more than in memory alone: nothing once it is written; little while
// it waits for a registry that is out of reach; little where it was taken over.
func TestMemoryPerCall(t *testing.T) {
	if !fresh.Process(t) {
		return
	}
	const calls, most = 20_000, 250
	ids := make([]dialogstore.ID, calls)
	for i := range ids {
		ids[i] = call(fmt.Sprintf("%032d", i)).ID
	}
	fill := func(s dialogstore.Store) {
		for _, id := range ids {
			d := call("")
			d.ID = id
			if err := s.Create(context.Background(), d); err != nil {
				t.Fatal(err)
			}
		}
	}
	measure := func(run func() any) float64 {
		before := inUse()
		kept := run()
		after := inUse()
		runtime.KeepAlive(kept)
		return float64(int64(after)-int64(before)) / calls
	}
	alone := measure(func() any { m := dialogstore.NewMemory(); fill(m); return m })
	waiting := measure(func() any { n := idle(t); fill(n); return n }) - alone
	written := measure(func() any {
		n := idle(t)
		fill(n)
		for n.waiting() > 0 {
			n.written(n.nextBatch(nil), nil)
		}
		return n
	}) - alone
	taken := measure(func() any {
		n := idle(t)
		fill(n)
		for n.waiting() > 0 {
			n.written(n.nextBatch(nil), nil)
		}
		for _, id := range ids {
			n.hold(id, holding{claimed: 2})
		}
		return n
	}) - alone
	t.Logf("bytes a call more: written %.0f, waiting %.0f, taken over %.0f", written, waiting, taken)
	if written > 8 || waiting > most || taken > most {
		t.Errorf("bytes a call more: written %.0f, waiting %.0f, taken over %.0f; want none, and %d at most", written, waiting, taken, most)
	}
	runtime.KeepAlive(ids)
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkCommit is an update in memory alone, and with a registry that takes 5 s for
// each answer.
func BenchmarkCommit(b *testing.B) {
	ctx := context.Background()
	run := func(b *testing.B, s dialogstore.Store) {
		var ids []dialogstore.ID
		for i := range 1000 {
			d := call(fmt.Sprint("call-", i))
			if err := s.Create(ctx, d); err != nil {
				b.Fatal(err)
			}
			ids = append(ids, d.ID)
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			_, _, _ = s.Update(ctx, ids[i%len(ids)], func(d dialogstore.Dialog) (dialogstore.State, error) {
				d.LocalCSeq++
				return d.State, nil
			})
			i++
		}
	}
	b.Run("store=memory", func(b *testing.B) { run(b, dialogstore.NewMemory()) })
	b.Run("store=node", func(b *testing.B) {
		n := idle(b)
		n.cfg.Registry = &way{Memory: failover.NewMemory(), slow: 5 * time.Second, lab: &lab{start: time.Now()}}
		n.Start()
		defer n.Close(10 * time.Second)
		run(b, n)
	})
}

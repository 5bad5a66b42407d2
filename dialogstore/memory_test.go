package dialogstore_test

import (
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) dialogstore.Store { return dialogstore.NewMemory() })
}

func TestZeroMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) dialogstore.Store { return new(dialogstore.Memory) })
}

func call(n int) dialogstore.Dialog {
	return dialogstore.Dialog{ID: dialogstore.ID{CallID: "call-" + strconv.Itoa(n), LocalTag: "l", RemoteTag: "r"}}
}

func count(d dialogstore.Dialog) (dialogstore.Dialog, error) {
	d.LocalCSeq++
	return d, nil
}

func TestMemoryLen(t *testing.T) {
	m := dialogstore.NewMemory()
	const n = 1000
	for i := range n {
		if err := m.Create(t.Context(), call(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.Len(); got != n {
		t.Errorf("Len = %d, want the %d that were created", got, n)
	}
	for i := range n / 2 {
		if _, err := m.Delete(t.Context(), call(i).ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.Len(); got != n/2 {
		t.Errorf("Len = %d, want the %d that were not deleted", got, n/2)
	}
}

// Update tries again when another change, here made by the change function
// itself, came between; it would wait for ever if a lock were held.
func TestMemoryUpdateRunsAgain(t *testing.T) {
	m, d := dialogstore.NewMemory(), call(1)
	if err := m.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	runs := 0
	before, after, err := m.Update(t.Context(), d.ID, func(d dialogstore.Dialog) (dialogstore.Dialog, error) {
		if runs++; runs == 1 {
			if _, _, err := m.Update(t.Context(), d.ID, count); err != nil {
				t.Error(err)
			}
		}
		return count(d)
	})
	if err != nil || runs != 2 || before.LocalCSeq != 1 || after.LocalCSeq != 2 {
		t.Errorf("Update = %d, %d, %v after %d runs, want 1, 2 and no error after a second run that sees the change between",
			before.LocalCSeq, after.LocalCSeq, err, runs)
	}
}

// A dialog that is deleted and created again is another one, even if it looks
// the same: the update computed from the first must run again.
func TestMemoryUpdateSeesReplacement(t *testing.T) {
	m, d := dialogstore.NewMemory(), call(1)
	if err := m.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	runs := 0
	_, _, err := m.Update(t.Context(), d.ID, func(d dialogstore.Dialog) (dialogstore.Dialog, error) {
		if runs++; runs == 1 {
			_, deleteErr := m.Delete(t.Context(), d.ID)
			if err := m.Create(t.Context(), d); err != nil || deleteErr != nil {
				t.Error(deleteErr, err)
			}
		}
		return count(d)
	})
	if err != nil || runs != 2 {
		t.Errorf("Update = %v after %d runs, want no error after 2", err, runs)
	}
}

// Under load each message reads its dialog, so reading must not allocate.
func TestMemoryLoadDoesNotAllocate(t *testing.T) {
	m, d := dialogstore.NewMemory(), call(1)
	if err := m.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { _, _ = m.Load(ctx, d.ID) }); n != 0 {
		t.Errorf("Load allocates %v times, want none", n)
	}
}

func BenchmarkMemoryUpdateParallel(b *testing.B) {
	for _, dialogs := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("dialogs=%d", dialogs), func(b *testing.B) {
			m := dialogstore.NewMemory()
			ids := make([]dialogstore.ID, dialogs)
			for i := range ids {
				ids[i] = call(i).ID
				if err := m.Create(b.Context(), call(i)); err != nil {
					b.Fatal(err)
				}
			}
			var next atomic.Uint32
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					id := ids[int(next.Add(7919))%dialogs]
					if _, _, err := m.Update(b.Context(), id, count); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkMemoryIdle tells what a dialog that nothing happens to takes, beside
// the Dialog and its texts.
func BenchmarkMemoryIdle(b *testing.B) {
	const n = 100_000
	dialogs := make([]dialogstore.Dialog, n)
	for i := range dialogs {
		dialogs[i] = call(i)
	}
	for b.Loop() {
		m := dialogstore.NewMemory()
		before := heap()
		for i := range dialogs {
			if err := m.Create(b.Context(), dialogs[i]); err != nil {
				b.Fatal(err)
			}
		}
		each := float64(heap()-before) / n
		b.ReportMetric(each-float64(unsafe.Sizeof(dialogs[0])), "overhead-B/dialog")
		b.ReportMetric(each, "B/dialog")
		runtime.KeepAlive(m)
	}
}

func heap() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

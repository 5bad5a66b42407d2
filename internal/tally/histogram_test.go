package tally

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A duration counts up to the first bound that it does not exceed, one below zero as zero.
func TestObserve(t *testing.T) {
	h := New([]time.Duration{0, time.Second, time.Minute})
	for _, d := range []time.Duration{-time.Hour, 0, 1, time.Second, time.Second + 1, time.Minute, time.Minute + 1, time.Hour} {
		h.Observe(d)
	}
	bounds, counts, sum := h.Read()
	want := []uint64{2, 2, 2, 2}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("counts by %v (-want +got):\n%s", bounds, diff)
	}
	if want := 2*time.Second + 2*time.Minute + time.Hour + 3; sum != want {
		t.Errorf("the sum is %v, want %v", sum, want)
	}
}

func TestObserveAtOnce(t *testing.T) {
	h := New([]time.Duration{time.Second})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 1000 {
				h.Observe(time.Millisecond)
			}
		})
	}
	all.Wait()
	if _, counts, sum := h.Read(); counts[0] != 4000 || sum != 4*time.Second {
		t.Errorf("%v, sum %v; want 4000 of a millisecond", counts, sum)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	h := New([]time.Duration{time.Second, time.Minute})
	if n := testing.AllocsPerRun(100, func() { h.Observe(time.Minute) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	h := New(make([]time.Duration, 12))
	for b.Loop() {
		h.Observe(time.Second)
	}
}

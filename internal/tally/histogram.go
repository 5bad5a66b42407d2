// Package tally counts durations by bounds.
package tally

import (
	"sync/atomic"
	"time"
)

// Histogram counts durations by upper bounds. Its methods may be called by any number of
// goroutines; none locks or allocates but Read.
type Histogram struct {
	bounds []time.Duration
	counts []atomic.Uint64 // one for each bound, and one for what is longer
	sum    atomic.Int64
}

// New makes a Histogram. The bounds rise, and are never written to.
func New(bounds []time.Duration) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts d; below zero it counts as zero.
func (h *Histogram) Observe(d time.Duration) {
	d = max(0, d)
	i := 0
	for i < len(h.bounds) && d > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// Read returns what was counted: how many up to each bound and above the one before it,
// how many above the last one, and the sum of all.
func (h *Histogram) Read() (bounds []time.Duration, counts []uint64, sum time.Duration) {
	counts = make([]uint64, len(h.counts))
	for i := range h.counts {
		counts[i] = h.counts[i].Load()
	}
	return h.bounds, counts, time.Duration(h.sum.Load())
}

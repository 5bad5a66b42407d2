package main

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lateness compares when refreshes are sent with when they were due. It is used
// by many goroutines at once.
type lateness struct {
	base time.Time
	due  []atomic.Int64 // of each call, in nanoseconds since base; 0 if nothing is

	mu     sync.Mutex
	second []time.Duration // since the last sample
	held   []time.Duration // since begin
}

func newLateness(calls int) *lateness {
	// No call is due at base itself.
	return &lateness{base: time.Now().Add(-time.Hour), due: make([]atomic.Int64, calls)}
}

// expect notes when the next refresh of a call is due.
func (l *lateness) expect(i int, at time.Time) {
	if i >= 0 && i < len(l.due) {
		l.due[i].Store(int64(at.Sub(l.base)))
	}
}

// sent looks at a datagram that leaves. Of a request that is sent again only the
// first counts: after it nothing is due until the refresh has its answer.
func (l *lateness) sent(data []byte) {
	now := time.Since(l.base)
	if !bytes.HasPrefix(data, []byte("UPDATE ")) && !bytes.HasPrefix(data, []byte("INVITE ")) {
		return
	}
	i := callOf(data)
	if i < 0 || i >= len(l.due) {
		return
	}
	due := time.Duration(l.due[i].Swap(0))
	if due == 0 {
		return // the INVITE that sets the call up
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.second = append(l.second, now-due)
	l.held = append(l.held, now-due)
}

// callOf is the number of the call that a message belongs to, -1 if none of ours.
func callOf(data []byte) int {
	_, rest, found := bytes.Cut(data, []byte("\r\nCall-ID: "))
	id, _, _ := bytes.Cut(rest, []byte("\r\n"))
	if !found {
		return -1
	}
	return indexOf(string(id))
}

// begin forgets what came before.
func (l *lateness) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = nil
}

// all is sorted.
func (l *lateness) all() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.held))
}

// sample is what was sent since the sample before, sorted.
func (l *lateness) sample() []time.Duration {
	l.mu.Lock()
	sent := l.second
	l.second = nil
	l.mu.Unlock()
	slices.Sort(sent)
	return sent
}

// percentile of what is sorted; 0 if that is empty.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(p/100*float64(len(sorted)-1)+0.5)]
}

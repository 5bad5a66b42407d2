package main

import (
	"bytes"
	"slices"
	"sync"
	"time"
)

// underWay takes the place of the due time while a refresh has no answer yet.
const underWay = -1

// lateness compares the times when refreshes are sent with the times when they were due.
// It may be used by many goroutines at once.
type lateness struct {
	base time.Time

	mu         sync.Mutex
	due        []time.Duration // of each call, since base; 0 if nothing is due
	second     []time.Duration // since the last sample
	held       []time.Duration // since begin
	unanswered int
	most       int // unanswered since begin
}

func newLateness(calls int) *lateness {
	// No refresh is due at base itself.
	return &lateness{base: time.Now().Add(-time.Hour), due: make([]time.Duration, calls)}
}

// expect notes when the next refresh of a call is due. The previous one is answered.
func (l *lateness) expect(i int, at time.Time) { l.set(i, at.Sub(l.base)) }

// forget removes a call that has ended.
func (l *lateness) forget(i int) { l.set(i, 0) }

func (l *lateness) set(i int, due time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i < 0 || i >= len(l.due) {
		return
	}
	if l.due[i] == underWay {
		l.unanswered--
	}
	l.due[i] = due
}

// sent inspects a datagram that leaves, or would if the line were not down. Only the first
// transmission of a request counts: after it nothing is due until the refresh is
// answered.
func (l *lateness) sent(data []byte) {
	now := time.Since(l.base)
	if !bytes.HasPrefix(data, []byte("UPDATE ")) && !bytes.HasPrefix(data, []byte("INVITE ")) {
		return
	}
	i := callOf(data)
	l.mu.Lock()
	defer l.mu.Unlock()
	if i < 0 || i >= len(l.due) || l.due[i] == underWay || l.due[i] == 0 {
		return // it is 0 for the INVITE that sets the call up
	}
	late := now - l.due[i]
	l.second, l.held = append(l.second, late), append(l.held, late)
	l.due[i] = underWay
	l.unanswered++
	l.most = max(l.most, l.unanswered)
}

// callOf returns the number of the call that a message belongs to; -1 if it is not ours.
func callOf(data []byte) int {
	_, rest, found := bytes.Cut(data, []byte("\r\nCall-ID: "))
	id, _, _ := bytes.Cut(rest, []byte("\r\n"))
	if !found {
		return -1
	}
	return indexOf(string(id))
}

// begin resets the measurement.
func (l *lateness) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held, l.most = nil, l.unanswered
}

// all returns the latenesses since begin, sorted, and the most refreshes that were
// unanswered.
func (l *lateness) all() (sent []time.Duration, unanswered int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.held)), l.most
}

// sample returns the latenesses since the last sample, sorted.
func (l *lateness) sample() []time.Duration {
	l.mu.Lock()
	sent := l.second
	l.second = nil
	l.mu.Unlock()
	slices.Sort(sent)
	return sent
}

// percentile returns a percentile of sorted values; 0 if there are none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(p/100*float64(len(sorted)-1)+0.5)]
}

package timerpage

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Bounds of the history. Trouble has its own ring, so that the refreshes of healthy calls do
// not crowd it out.
const (
	keptEvents   = 1000 // of each kind
	sampleEvery  = 2 * time.Second
	historyOf    = 5 * time.Minute
	keptSamples  = int(historyOf / sampleEvery)
	newestEvents = 10 // of all calls, in the list
	noticesQueue = 1024
	toleratedGap = 3 * time.Second // as while a page is loaded again
)

// history has the events that occurred while a page was open, or since New: see WithHistory.
type history struct {
	always bool

	mu      sync.Mutex
	count   uint64 // of events so far
	trouble ring[heard]
	routine ring[heard]
	samples ring[sample]
	paused  time.Time
}

// heard is an event, and its place among all.
type heard struct {
	sessiontimer.Event
	nth uint64
}

// gap is a time without a record of events.
type gap struct {
	sessiontimer.Call        // Time is its end
	from              string // when it began
	lost              int    // the number of events, if they were dropped because we were slow
}

func (h *history) add(n middleware.Notice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n.Lost > 0 {
		h.keep(&h.trouble, gap{Call: sessiontimer.Call{Time: n.Info().Time}, lost: n.Lost})
	}
	if isTrouble(n.Event) {
		h.keep(&h.trouble, n.Event)
		return
	}
	h.keep(&h.routine, n.Event)
}

// keep keeps an event. h.mu is held.
func (h *history) keep(in *ring[heard], e sessiontimer.Event) {
	h.count++
	in.add(heard{e, h.count}, keptEvents)
}

func (h *history) sample(s sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last := h.samples.last(); last == nil || s.at.Sub(last.at) >= sampleEvery {
		h.samples.add(s, keptSamples)
	}
}

// pause notes that no page is open from now on, and resume that one is.
func (h *history) pause(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.paused = now
}

func (h *history) resume(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.paused.IsZero() && now.Sub(h.paused) > toleratedGap {
		h.keep(&h.trouble, gap{Call: sessiontimer.Call{Time: now}, from: clockText(h.paused)})
	}
}

// troubles returns the newest events that mean trouble, the newest first.
func (h *history) troubles() []sessiontimer.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []sessiontimer.Event
	for e := range h.trouble.backwards {
		if found = append(found, e.Event); len(found) == newestEvents {
			break
		}
	}
	return found
}

// of returns the events of a call, the newest first.
func (h *history) of(id dialogstore.ID) []sessiontimer.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []heard
	for _, r := range []*ring[heard]{&h.trouble, &h.routine} {
		for e := range r.backwards {
			if isGap(e.Event) || idOf(e.Event) == id {
				found = append(found, e)
			}
		}
	}
	slices.SortFunc(found, func(a, b heard) int { return cmp.Compare(b.nth, a.nth) })
	for len(found) > 0 && isGap(found[len(found)-1].Event) { // before the call, as far as we know
		found = found[:len(found)-1]
	}
	events := make([]sessiontimer.Event, len(found))
	for i, e := range found {
		events[i] = e.Event
	}
	return events
}

func (h *history) sampled() []sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := slices.Collect(h.samples.backwards)
	slices.Reverse(s)
	return s
}

func idOf(e sessiontimer.Event) dialogstore.ID {
	c := e.Info()
	return dialogstore.ID{CallID: c.CallID, LocalTag: c.LocalTag, RemoteTag: c.RemoteTag}
}

func isGap(e sessiontimer.Event) bool { _, ok := e.(gap); return ok }

// isTrouble reports whether an operator should see e.
func isTrouble(e sessiontimer.Event) bool {
	switch e := e.(type) {
	case sessiontimer.RefreshFailed, sessiontimer.Expired, sessiontimer.TakenOver, sessiontimer.Released, sessiontimer.Unreachable:
		return true
	case sessiontimer.Ended:
		return e.Reason.Cause == sessiontimer.CauseNoACK || e.Reason.Cause == sessiontimer.CauseDialogClosed
	}
	return false
}

// ring keeps the latest elements that were added.
type ring[T any] struct {
	kept []T
	next int // where the oldest is, once it is full
}

func (r *ring[T]) add(v T, most int) {
	if len(r.kept) < most {
		r.kept = append(r.kept, v)
		return
	}
	r.kept[r.next] = v
	r.next = (r.next + 1) % most
}

func (r *ring[T]) last() *T {
	n := len(r.kept)
	if n == 0 {
		return nil
	}
	return &r.kept[(r.next+n-1)%n]
}

// backwards yields what is kept, the newest first.
func (r *ring[T]) backwards(yield func(T) bool) {
	for i := range r.kept {
		if !yield(r.kept[(r.next+len(r.kept)-1-i)%len(r.kept)]) {
			return
		}
	}
}

func (g gap) String() string {
	if g.lost > 0 {
		return fmt.Sprintf("%d events came too fast for this page.", g.lost)
	}
	return fmt.Sprintf("Nobody looked from %s until now; the events of that time are not known.", g.from)
}

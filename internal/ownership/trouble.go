package ownership

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// trouble tracks an outage of the registry. It begins with the first call that fails, and is
// over at the first good beat after no call has failed for quiet. Both are logged once.
type trouble struct {
	log   *slog.Logger
	quiet time.Duration
	on    atomic.Bool
	over  atomic.Uint64 // how often trouble has ended

	mu     sync.Mutex
	since  time.Time // when it began
	latest time.Time // when a call last failed
}

// begin notes that a call has failed.
func (t *trouble) begin(now time.Time, err error) {
	t.mu.Lock()
	first := !t.on.Load()
	if first {
		t.since = now
		t.on.Store(true)
	}
	t.latest = now
	t.mu.Unlock()
	if first {
		t.log.Warn("registry unreachable: calls go on, changes wait in memory, no calls are taken over", "error", err)
	}
}

// pass notes that a beat was good.
func (t *trouble) pass(now time.Time) {
	if !t.on.Load() {
		return
	}
	t.mu.Lock()
	over, lasted := now.Sub(t.latest) >= t.quiet, t.latest.Sub(t.since)
	if over {
		t.on.Store(false)
		t.over.Add(1)
	}
	t.mu.Unlock()
	if over {
		t.log.Info("registry reachable again", "unreachable_for", lasted)
	}
}

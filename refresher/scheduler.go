package refresher

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/stall"
	"github.com/sipgo-contrib/sessiontimer/internal/workers"
)

// Config configures a Scheduler. The first four fields are required.
type Config struct {
	Store    dialogstore.Store
	Pipeline Pipeline
	Event    func(sessiontimer.Event) // gets RefreshFailed; while it blocks, only that call waits
	Logger   *slog.Logger

	// Jitter spreads refreshes: each is sent earlier than RFC 4028 recommends, by up
	// to this share of the time until then, and never later. 0 to 0.5; 0 for none.
	Jitter float64
	Limits Limits
}

// Scheduler schedules the refreshes of sessions and ends those that are not
// refreshed. It is a dialogstore.Observer. All methods but Configure may be called by
// any number of goroutines.
type Scheduler struct {
	cfg  Config
	seed maphash.Seed // of the jitter
	base time.Time    // the origin of times in queues and slots

	ctx     context.Context
	cancel  context.CancelFunc
	workers *workers.Workers // run refreshes, ends and BYEs
	figures figures

	mu      sync.Mutex
	retired bool                    // nothing is scheduled any more
	closed  bool                    // and nothing sent
	calls   table                   // calls with something due soon or in progress
	far     slots                   // all other calls
	due     queue                   // calls, by the time at which something is due
	ready   queue                   // calls whose refresh is due, by its last chance
	byes    []func(context.Context) // of sessions that have ended
	gate    gate                    // for refreshes that are ready, and BYEs
	alarm   alarm
	clock   time.Time // the last reading
	stalls  stall.Watch
}

// New returns a Scheduler. Configure it before the store changes.
func New() *Scheduler {
	seed := maphash.MakeSeed()
	s := &Scheduler{
		seed:    seed,
		base:    time.Now(),
		calls:   newTable(seed),
		far:     slots{pages: make(map[int64][][]farCall)},
		workers: workers.New(),
		figures: newFigures(),
	}
	s.due.id, s.due.time = inDue, s.dueAt
	s.ready.id, s.ready.time = inReady, s.turnOf
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Configure sets the configuration. Call it once, before the first change of the store.
// It is apart from New because the store needs its observers, and they need the store.
func (s *Scheduler) Configure(cfg Config) {
	s.cfg = cfg
	s.gate.limits = cfg.Limits
}

// Len returns the number of dialogs with something due soon or in progress.
func (s *Scheduler) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls.len()
}

// Close stops the timer and cancels the requests in progress. It returns when no goroutine of
// s is left. It ends no session, and BYEs that wait for their turn are not sent.
func (s *Scheduler) Close() {
	s.stop()
	s.workers.Wait()
}

// CloseWithin is Close for a pipeline that may never return: it waits for at most d and
// returns how many goroutines are left. Call it again to wait longer.
func (s *Scheduler) CloseWithin(d time.Duration) (left int) {
	s.stop()
	return s.workers.WaitFor(d)
}

// Retire forgets all sessions and gives up the refreshes in progress, because another process
// is about to take them over. The BYEs of sessions that have ended are still sent, until
// Close.
func (s *Scheduler) Retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retire()
}

// retire is Retire with s.mu held.
func (s *Scheduler) retire() {
	s.retired = true
	s.calls.clear()
	clear(s.far.pages)
	s.due.clear()
	s.ready.clear()
	s.figures.missed.Store(0)
}

func (s *Scheduler) stop() {
	s.mu.Lock()
	s.closed = true
	s.alarm.stop()
	s.retire()
	s.byes = nil
	s.figures.byes.Store(0)
	s.mu.Unlock()
	s.cancel()
	s.workers.Stop()
}

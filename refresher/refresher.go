package refresher

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/stall"
	"github.com/sipgo-contrib/sessiontimer/internal/workers"
)

// Config is what a Scheduler works with. The first four fields are required.
type Config struct {
	Store    dialogstore.Store
	Pipeline Pipeline
	Event    func(sessiontimer.Event) // gets RefreshFailed; if it blocks, its call waits
	Logger   *slog.Logger

	// Jitter spreads refreshes: each comes earlier than RFC 4028 recommends, by
	// up to this share of the time until then, and never later. 0 to 0.5; 0 for
	// none.
	Jitter float64
	Limits Limits
}

// Scheduler schedules refreshes and hang-ups. It is a dialogstore.Observer.
type Scheduler struct {
	cfg  Config
	seed maphash.Seed // of the jitter
	base time.Time    // that slots and places in the queues are counted from

	ctx     context.Context
	cancel  context.CancelFunc
	workers *workers.Workers // for what is under way

	mu      sync.Mutex
	closed  bool
	dialogs map[dialogstore.ID]*schedule // with something due soon, or under way
	asleep  map[int64][][]sleeper        // the others, by slot, in pages
	armed   queue                        // by the time when they are due
	waiting queue                        // refreshes that are due, by their last chance
	missed  queue                        // those that it has passed
	byes    []func(context.Context)      // of sessions that have ended
	gate    gate
	alarm   *time.Timer // for the first of armed, or when the gate opens
	wakes   time.Time   // when it goes off; zero if it is not set
	look    *time.Timer // for the end of the slot; nil if nobody is asleep
	looks   time.Time   // when it goes off
	stalls  stall.Watch
}

// New makes a Scheduler; Configure it before the store changes.
func New() *Scheduler {
	r := &Scheduler{
		seed:    maphash.MakeSeed(),
		base:    time.Now(),
		dialogs: make(map[dialogstore.ID]*schedule),
		asleep:  make(map[int64][][]sleeper),
		workers: workers.New(),
	}
	r.armed = queue{base: r.base, due: func(s *schedule) time.Time { return s.at }}
	r.waiting = queue{base: r.base, due: func(s *schedule) time.Time { return s.session.LastChance() }}
	r.missed = queue{base: r.base, due: func(s *schedule) time.Time { return s.session.HangupAt() }}
	r.gate.underWay = make(map[sessiontimer.Action]int)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Configure says what r works with. It must be called once, before the first
// change of the store: the store needs its observers first, they need the store.
func (r *Scheduler) Configure(cfg Config) {
	r.cfg = cfg
	r.gate.limits = cfg.Limits
}

// Len is the number of dialogs for which something is due soon or under way.
func (r *Scheduler) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.dialogs)
}

// Close stops every timer and gives up what is under way; it returns when no
// goroutine of r is left. Sessions are not ended, and BYEs that wait for their turn
// are not sent.
func (r *Scheduler) Close() {
	r.stop()
	r.workers.Wait()
}

// CloseWithin is Close for a pipeline that may never return: it waits for d at most,
// and returns how many goroutines are left. It may be called again, to wait on.
func (r *Scheduler) CloseWithin(d time.Duration) (left int) {
	r.stop()
	return r.workers.WaitFor(d)
}

func (r *Scheduler) stop() {
	r.mu.Lock()
	r.closed = true
	for _, t := range []*time.Timer{r.alarm, r.look} {
		if t != nil {
			t.Stop()
		}
	}
	clear(r.dialogs)
	clear(r.asleep)
	r.armed.all, r.waiting.all, r.missed.all = nil, nil, nil
	r.byes = nil
	r.mu.Unlock()
	r.cancel()
	r.workers.Stop()
}

// DialogChanged implements dialogstore.Observer. A changed session cancels what
// was scheduled; a change of anything else does not.
func (r *Scheduler) DialogChanged(ctx context.Context, c *dialogstore.Change) {
	switch {
	case c.Deleted():
		r.forget(c.ID())
	case !c.Created() && c.Before.Session.Equal(c.After.Session):
	default:
		r.adopt(ctx, &c.After)
	}
}

// adopt heeds a dialog as it was a moment ago. The news of its end may have come
// before, and will not come again.
func (r *Scheduler) adopt(ctx context.Context, d *dialogstore.Dialog) {
	if !r.heed(d) {
		return
	}
	if _, err := r.cfg.Store.Load(ctx, d.ID); errors.Is(err, dialogstore.ErrNotFound) {
		r.forget(d.ID)
	}
}

// heed takes a dialog up as it is now; it returns true if it was not scheduled
// before.
func (r *Scheduler) heed(d *dialogstore.Dialog) (fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.dialogs[d.ID]
	if r.closed || s != nil && !dialogstore.Newer(d.Version, s.version) {
		return false
	}
	if fresh = s == nil; fresh {
		now := time.Now()
		if action, at := r.next(d.ID, d.Session, now, false); far(action, at, now) {
			r.sleep(d.ID, d.Session, at, now)
			return false
		}
		s = &schedule{id: d.ID}
		r.dialogs[d.ID] = s
	}
	s.version = d.Version
	if fresh || !s.session.Equal(d.Session) {
		s.session, s.attempts, s.method, s.failed, s.reason = d.Session, 0, 0, 0, sessiontimer.Reason{Cause: sessiontimer.CauseExpired}
		r.plan(s, false)
	}
	return fresh
}

// forget stops all that is done for a dialog.
func (r *Scheduler) forget(id dialogstore.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.dialogs[id]; s != nil {
		s.in = nil
		if s.cancel != nil {
			s.cancel()
		}
		delete(r.dialogs, id)
	}
}

package refresher

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/stall"
	"github.com/sipgo-contrib/sessiontimer/internal/workers"
)

// Errors of a Pipeline that the refresher heeds.
var (
	// ErrBusy says that a request of somebody else is under way that may make
	// this one unnecessary. It is tried again a second later.
	ErrBusy = errors.New("refresher: dialog is busy")
	// ErrGone says that the application has dropped the dialog without ending it.
	// The call is hung up.
	ErrGone = errors.New("refresher: the application has dropped the dialog")
	// ErrSuperseded says that the session was refreshed meanwhile.
	ErrSuperseded = errors.New("refresher: refreshed meanwhile")
)

// Pipeline sends what the refresher decides on. Its methods are called from
// many goroutines, for one dialog by one at a time.
type Pipeline interface {
	// Refresh sends a request built by this package within d, marked with the
	// session-timer header fields, and waits for the final response. A 422 and
	// a challenge are answered below it; a 2xx is acknowledged and committed to
	// the store before it returns. When ctx ends the request is given up; if its
	// deadline has passed, a 2xx that comes later still counts. A re-INVITE that
	// follows an UPDATE without any answer waits for what is left of 64*T1.
	// What may block for long comes after LeavePlace.
	Refresh(ctx context.Context, d dialogstore.Dialog, req *sip.Request) (*sip.Response, error)

	// Hangup ends the application's dialog, deletes it from the store and sends
	// BYE. It returns when that is on its way or cannot be, without waiting for the
	// answer: what is sent again until there is one is the transaction's business.
	// It does nothing if the dialog has ended. ErrBusy puts it off.
	Hangup(ctx context.Context, d dialogstore.Dialog, reason sessiontimer.Reason) error
}

// Ender is a Pipeline that can do the first half of Hangup alone. The session of a
// dead call then ends on time, however long its BYE has to wait by the Limits.
type Ender interface {
	// End ends the application's dialog and deletes it from the store. It returns
	// what sends the BYE, as Hangup does; nil if there is none to send. ErrBusy puts
	// it off.
	End(ctx context.Context, d dialogstore.Dialog, reason sessiontimer.Reason) (bye func(context.Context), err error)
}

// Config is what a Refresher works with. The first four fields are required.
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

// Refresher schedules refreshes and hang-ups. It is a dialogstore.Observer.
type Refresher struct {
	cfg  Config
	seed maphash.Seed // of the jitter
	base time.Time    // that slots and places in the queues are counted from

	ctx     context.Context
	cancel  context.CancelFunc
	workers *workers.Workers // for what is under way
	ender   Ender            // the pipeline, if it is one

	mu      sync.Mutex
	closed  bool
	dialogs map[dialogstore.ID]*schedule // with something due soon, or under way
	asleep  map[int64][][]sleeper        // the others, by slot, in pages
	armed   queue                        // by the time when they are due
	waiting queue                        // refreshes that are due, by their last chance
	missed  queue                        // those that it has passed
	ending  queue                        // hang-ups that are due
	byes    []func(context.Context)      // of sessions that have ended
	gate    gate
	alarm   *time.Timer // for the first of armed, or when the gate opens
	wakes   time.Time   // when it goes off; zero if it is not set
	look    *time.Timer // for the end of the slot; nil if nobody is asleep
	looks   time.Time   // when it goes off
	stalls  stall.Watch
}

// New makes a Refresher; Configure it before the store changes.
func New() *Refresher {
	r := &Refresher{
		seed:    maphash.MakeSeed(),
		base:    time.Now(),
		dialogs: make(map[dialogstore.ID]*schedule),
		asleep:  make(map[int64][][]sleeper),
		workers: workers.New(),
	}
	r.armed = queue{base: r.base, due: func(s *schedule) time.Time { return s.at }}
	for _, q := range []*queue{&r.waiting, &r.ending} {
		*q = queue{base: r.base, due: func(s *schedule) time.Time { return s.session.LastChance() }}
	}
	r.missed = queue{base: r.base, due: func(s *schedule) time.Time { return s.session.HangupAt() }}
	r.gate.underWay = make(map[sessiontimer.Action]int)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Configure says what r works with. It must be called once, before the first
// change of the store: the store needs its observers first, they need the store.
func (r *Refresher) Configure(cfg Config) {
	r.cfg = cfg
	r.ender, _ = cfg.Pipeline.(Ender)
	r.gate.limits = cfg.Limits
}

// Len is the number of dialogs for which something is due soon or under way.
func (r *Refresher) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.dialogs)
}

// Close stops every timer and gives up what is under way; it returns when no
// goroutine of r is left. Sessions are not ended, and BYEs that wait for their turn
// are not sent.
func (r *Refresher) Close() {
	r.stop()
	r.workers.Wait()
}

// CloseWithin is Close for a pipeline that may never return: it waits for d at most,
// and returns how many goroutines are left. It may be called again, to wait on.
func (r *Refresher) CloseWithin(d time.Duration) (left int) {
	r.stop()
	return r.workers.WaitFor(d)
}

func (r *Refresher) stop() {
	r.mu.Lock()
	r.closed = true
	for _, t := range []*time.Timer{r.alarm, r.look} {
		if t != nil {
			t.Stop()
		}
	}
	clear(r.dialogs)
	clear(r.asleep)
	r.armed.all, r.waiting.all, r.missed.all, r.ending.all = nil, nil, nil, nil
	r.byes = nil
	r.mu.Unlock()
	r.cancel()
	r.workers.Stop()
}

// DialogChanged implements dialogstore.Observer. A changed session cancels what
// was scheduled; a change of anything else does not.
func (r *Refresher) DialogChanged(ctx context.Context, c *dialogstore.Change) {
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
func (r *Refresher) adopt(ctx context.Context, d *dialogstore.Dialog) {
	if !r.heed(d) {
		return
	}
	if _, err := r.cfg.Store.Load(ctx, d.ID); errors.Is(err, dialogstore.ErrNotFound) {
		r.forget(d.ID)
	}
}

// heed takes a dialog up as it is now; it returns true if it was not scheduled
// before.
func (r *Refresher) heed(d *dialogstore.Dialog) (fresh bool) {
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
		s.session, s.attempts, s.method, s.failed, s.reason = d.Session, 0, "", "", sessiontimer.Reason{Cause: sessiontimer.CauseExpired}
		r.plan(s, false)
	}
	return fresh
}

// forget stops all that is done for a dialog.
func (r *Refresher) forget(id dialogstore.ID) {
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

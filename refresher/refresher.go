package refresher

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Errors of a Pipeline that the refresher heeds.
var (
	// ErrBusy says that a request of somebody else is under way that may make
	// this one unnecessary. It is tried again a second later.
	ErrBusy = errors.New("refresher: dialog is busy")
	// ErrGone says that the application has dropped the dialog without ending it.
	// The call is hung up.
	ErrGone = errors.New("refresher: the application has dropped the dialog")
	// ErrSuperseded says that the session was refreshed meanwhile, of which the
	// news is on its way.
	ErrSuperseded = errors.New("refresher: refreshed meanwhile")
)

// busyPause is how long a busy dialog is left alone.
const busyPause = time.Second

// Pipeline sends what the refresher decides on. Its methods are called from
// many goroutines, for one dialog by one at a time.
type Pipeline interface {
	// Refresh sends a request built by this package within d, marked with the
	// session-timer header fields, and waits for the final response. A 422 and
	// a challenge are answered below it; a 2xx is acknowledged and committed to
	// the store before it returns. When ctx ends the request is given up.
	Refresh(ctx context.Context, d dialogstore.Dialog, req *sip.Request) (*sip.Response, error)

	// Hangup sends BYE, ends the application's dialog and deletes it from the
	// store. It does nothing if the dialog has ended. ErrBusy puts it off.
	Hangup(ctx context.Context, d dialogstore.Dialog, reason string) error
}

// Config is what a Refresher works with. All fields are required.
type Config struct {
	Store    dialogstore.Store
	Pipeline Pipeline
	Event    func(sessiontimer.Event) // gets RefreshFailed
	Logger   *slog.Logger
}

// Refresher schedules refreshes and hang-ups. It is a dialogstore.Observer.
type Refresher struct {
	cfg Config

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	dialogs map[dialogstore.ID]*schedule
	closed  bool
}

// schedule is what is to be done for one dialog, and when.
type schedule struct {
	version  uint64 // of the dialog; older news are ignored
	session  sessiontimer.Session
	attempts int
	method   sip.RequestMethod // of the next attempt, if a failed one prescribes it
	reason   string            // of the hang-up

	action     sessiontimer.Action
	generation uint64 // a timer of an older generation does nothing
	timer      *time.Timer
	cancel     context.CancelFunc // ends the attempt under way; nil if none is
}

// New makes a Refresher; Configure it before the store changes.
func New() *Refresher {
	r := &Refresher{dialogs: make(map[dialogstore.ID]*schedule)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Configure says what r works with. It must be called once, before the first
// change of the store: the store needs its observers first, they need the store.
func (r *Refresher) Configure(cfg Config) { r.cfg = cfg }

// Len is the number of dialogs that r watches.
func (r *Refresher) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.dialogs)
}

// Close stops every timer and gives up what is under way; it returns when no
// goroutine of r is left. Sessions are not ended.
func (r *Refresher) Close() {
	r.mu.Lock()
	r.closed = true
	for _, s := range r.dialogs {
		s.disarm()
	}
	clear(r.dialogs)
	r.mu.Unlock()
	r.cancel()
	r.wg.Wait()
}

// Restore schedules every dialog of the store: after a restart, what is overdue
// is done at once.
func (r *Refresher) Restore(ctx context.Context) error {
	for d, err := range r.cfg.Store.All(ctx) {
		if err != nil {
			return err
		}
		r.DialogChanged(ctx, dialogstore.Change{After: d})
	}
	return nil
}

// DialogChanged implements dialogstore.Observer. A changed session cancels what
// was scheduled; a change of anything else does not.
func (r *Refresher) DialogChanged(ctx context.Context, c dialogstore.Change) {
	if !r.heed(c) {
		return
	}
	// News may come late. That of its end may have come before, and not again.
	if _, err := r.cfg.Store.Load(ctx, c.ID()); errors.Is(err, dialogstore.ErrNotFound) {
		r.forget(c.ID())
	}
}

// heed takes a change up; it returns true if the dialog is new to r.
func (r *Refresher) heed(c dialogstore.Change) (fresh bool) {
	id := c.ID()
	if c.Deleted() {
		r.forget(id)
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	s := r.dialogs[id]
	if fresh = s == nil; fresh {
		s = &schedule{}
		r.dialogs[id] = s
	} else if c.After.Version <= s.version {
		return false
	}
	s.version = c.After.Version
	if !s.session.Equal(c.After.Session) {
		s.session, s.attempts, s.method, s.reason = c.After.Session, 0, "", "Session timer expired"
		r.plan(id, s, false)
	}
	return fresh
}

// forget stops all that is done for a dialog.
func (r *Refresher) forget(id dialogstore.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.dialogs[id]
	if s == nil {
		return
	}
	s.disarm()
	if s.cancel != nil {
		s.cancel()
	}
	delete(r.dialogs, id)
}

// plan arms the timer for what is due next. r.mu is held.
func (r *Refresher) plan(id dialogstore.ID, s *schedule, attempted bool) {
	action, at := s.session.Next(time.Now(), attempted)
	r.arm(id, s, action, time.Until(at))
}

// arm replaces what was scheduled. r.mu is held.
func (r *Refresher) arm(id dialogstore.ID, s *schedule, action sessiontimer.Action, in time.Duration) {
	s.disarm()
	s.action = action
	if action == sessiontimer.Idle || r.closed {
		return
	}
	generation := s.generation
	s.timer = time.AfterFunc(in, func() { r.fire(id, generation) })
}

func (s *schedule) disarm() {
	s.generation++
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// fire does what is due, in the goroutine of the timer.
func (r *Refresher) fire(id dialogstore.ID, generation uint64) {
	r.mu.Lock()
	s := r.dialogs[id]
	if s == nil || s.generation != generation || r.closed {
		r.mu.Unlock()
		return
	}
	action, session, reason := s.action, s.session, s.reason
	if action == sessiontimer.Refresh && s.cancel != nil {
		// The one before is not over yet; it may make this one unnecessary.
		r.arm(id, s, action, busyPause)
		r.mu.Unlock()
		return
	}
	if s.cancel != nil {
		s.cancel()
	}
	ctx, cancel := r.ctx, context.CancelFunc(nil)
	if action == sessiontimer.Refresh {
		ctx, cancel = context.WithDeadline(r.ctx, session.HangupAt())
		defer cancel()
		s.cancel = cancel
		s.attempts++
	}
	r.wg.Add(1)
	r.mu.Unlock()
	defer r.wg.Done()

	if action == sessiontimer.Refresh {
		r.refresh(ctx, id, s, session)
	} else {
		r.hangup(ctx, id, s, session, reason)
	}
}

// hangup ends the session, or puts it off while the dialog is busy.
func (r *Refresher) hangup(ctx context.Context, id dialogstore.ID, s *schedule, session sessiontimer.Session, reason string) {
	d, err := r.cfg.Store.Load(ctx, id)
	if err == nil && d.Session.Equal(session) { // else it was refreshed, and the news is on its way
		err = r.cfg.Pipeline.Hangup(ctx, d, reason)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dialogs[id] != s {
		return
	}
	switch {
	case errors.Is(err, dialogstore.ErrNotFound):
		delete(r.dialogs, id)
	case err != nil && s.action == sessiontimer.Hangup:
		if !errors.Is(err, ErrBusy) {
			r.cfg.Logger.Warn("session not ended, trying again", "call_id", id.CallID, "local_tag", id.LocalTag,
				"remote_tag", id.RemoteTag, "error", err)
		}
		r.arm(id, s, sessiontimer.Hangup, busyPause)
	}
}

func laddr(host string, port int) sip.Addr {
	return sip.Addr{IP: net.ParseIP(host), Port: port, Hostname: host}
}

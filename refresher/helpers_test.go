package refresher

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// rig is a scheduler in a bubble whose parts a test calls one by one, with a pipeline that
// only notes what it is asked.
type rig struct {
	*testing.T
	*Scheduler
	store *dialogstore.Memory
	logs  bytes.Buffer
	start time.Time

	noted    sync.Mutex
	attempts []Attempt
	ends     []sessiontimer.Reason
	byes     int
	events   []sessiontimer.Event
	err      error // of End
}

func onRig(t *testing.T, limits Limits, f func(r *rig)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		r := &rig{T: t, Scheduler: New(), store: dialogstore.NewMemory(), start: time.Now()}
		r.Configure(Config{Store: r.store, Pipeline: r, Logger: slog.New(slog.NewTextHandler(&r.logs, nil)), Limits: limits,
			Event: r.event})
		defer r.Close()
		f(r)
	})
}

func (r *rig) event(e sessiontimer.Event) {
	r.noted.Lock()
	defer r.noted.Unlock()
	r.events = append(r.events, e)
}

// Refresh implements Pipeline. It gets no response before the call ends.
func (r *rig) Refresh(ctx context.Context, _ dialogstore.ID, a Attempt) Outcome {
	r.noted.Lock()
	r.attempts = append(r.attempts, a)
	r.noted.Unlock()
	<-ctx.Done()
	return Outcome{Err: ctx.Err()}
}

// End implements Pipeline.
func (r *rig) End(_ context.Context, _ dialogstore.ID, _ sessiontimer.Session, reason sessiontimer.Reason) (func(context.Context), error) {
	r.noted.Lock()
	defer r.noted.Unlock()
	r.ends = append(r.ends, reason)
	return r.bye, r.err
}

func (r *rig) bye(context.Context) {
	r.noted.Lock()
	defer r.noted.Unlock()
	r.byes++
}

// asked is what the pipeline was asked so far: how many refreshes, and why to end.
func (r *rig) asked() (attempts int, ends []sessiontimer.Reason) {
	synctest.Wait()
	r.noted.Lock()
	defer r.noted.Unlock()
	return len(r.attempts), slices.Clone(r.ends)
}

// locked runs f as the scheduler would.
func (r *rig) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// ours is a session of that length which we refresh, and which began that long ago.
func ours(interval, ago time.Duration) sessiontimer.Session {
	return sessiontimer.Session{Interval: interval, Refresher: sessiontimer.Local, Since: time.Now().Add(-ago)}
}

// call is a call that the scheduler knows, with nothing scheduled.
func (r *rig) call(name string, session sessiontimer.Session) *call {
	d := &dialogstore.Dialog{Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: name, LocalTag: "l", RemoteTag: "r"}}, State: dialogstore.State{Version: 1, Session: session}}
	c := newCall(d, r.calls.hash(d.ID))
	r.locked(func() { r.calls.add(c) })
	return c
}

// scheduled is what is due for c, and when after the start; Idle for nothing.
func (r *rig) scheduled(c *call) (action sessiontimer.Action, after time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ready.has(c):
		return sessiontimer.Refresh, 0
	case r.due.has(c):
		return c.action, r.base.Add(c.at).Sub(r.start)
	}
	return sessiontimer.Idle, 0
}

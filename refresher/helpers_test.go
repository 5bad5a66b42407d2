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

func onRig(t *testing.T, limits Limits, f func(b *rig)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		b := &rig{T: t, Scheduler: New(), store: dialogstore.NewMemory(), start: time.Now()}
		b.Configure(Config{Store: b.store, Pipeline: b, Logger: slog.New(slog.NewTextHandler(&b.logs, nil)), Limits: limits,
			Event: func(e sessiontimer.Event) { b.events = append(b.events, e) }})
		defer b.Close()
		f(b)
	})
}

// Refresh implements Pipeline. It gets no response before the call ends.
func (b *rig) Refresh(ctx context.Context, _ dialogstore.ID, a Attempt) Outcome {
	b.noted.Lock()
	b.attempts = append(b.attempts, a)
	b.noted.Unlock()
	<-ctx.Done()
	return Outcome{Err: ctx.Err()}
}

// End implements Pipeline.
func (b *rig) End(_ context.Context, _ dialogstore.ID, _ sessiontimer.Session, r sessiontimer.Reason) (func(context.Context), error) {
	b.noted.Lock()
	defer b.noted.Unlock()
	b.ends = append(b.ends, r)
	return b.bye, b.err
}

func (b *rig) bye(context.Context) {
	b.noted.Lock()
	defer b.noted.Unlock()
	b.byes++
}

// asked is what the pipeline was asked so far: how many refreshes, and why to end.
func (b *rig) asked() (attempts int, ends []sessiontimer.Reason) {
	synctest.Wait()
	b.noted.Lock()
	defer b.noted.Unlock()
	return len(b.attempts), slices.Clone(b.ends)
}

// locked runs f as the scheduler would.
func (b *rig) locked(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// ours is a session of that length which we refresh, and which began that long ago.
func ours(interval, ago time.Duration) sessiontimer.Session {
	return sessiontimer.Session{Interval: interval, Refresher: sessiontimer.Local, Since: time.Now().Add(-ago)}
}

// call is a call that the scheduler knows, with nothing scheduled.
func (b *rig) call(name string, session sessiontimer.Session) *call {
	d := &dialogstore.Dialog{Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: name, LocalTag: "l", RemoteTag: "r"}}, State: dialogstore.State{Version: 1, Session: session}}
	c := newCall(d, b.calls.hash(d.ID))
	b.locked(func() { b.calls.add(c) })
	return c
}

// scheduled is what is due for c, and when after the start; Idle for nothing.
func (b *rig) scheduled(c *call) (action sessiontimer.Action, after time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ready.has(c):
		return sessiontimer.Refresh, 0
	case b.due.has(c):
		return c.action, b.base.Add(c.at).Sub(b.start)
	}
	return sessiontimer.Idle, 0
}

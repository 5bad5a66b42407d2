package middleware

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/workers"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

const (
	// mostAnnouncing bounds how many announcements are under way.
	mostAnnouncing = 64
	// announceTries bounds how often one is sent; the pause before grows from a second.
	announceTries = 5
)

// announcement is what the peer of a call that was taken over must learn at once: our
// new Contact or description. Until then its requests go to a host that is dead.
type announcement struct {
	id     dialogstore.ID
	method sessiontimer.Method
}

// announcer sends announcements in the order of their calls' urgency, which is that of
// add, and no more in a second than WithRefreshLimits allows.
type announcer struct {
	t    *Timers
	crew workers.Crew

	mu      sync.Mutex
	waiting []announcement
	running int
}

func (a *announcer) add(what announcement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, what)
	if a.running < min(mostAnnouncing, a.t.opts.limits.Unanswered) {
		a.running++
		a.crew.Go(a.work)
	}
}

// next is the next announcement; false ends a worker.
func (a *announcer) next() (what announcement, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) == 0 || a.t.calls.Context.Err() != nil {
		a.running--
		a.waiting = nil
		return what, false
	}
	what, a.waiting = a.waiting[0], a.waiting[1:]
	return what, true
}

func (a *announcer) work() {
	pace := time.NewTicker(mostAnnouncing * time.Second / time.Duration(a.t.opts.limits.PerSecond))
	defer pace.Stop()
	for {
		what, ok := a.next()
		if !ok {
			return
		}
		a.announce(what)
		select {
		case <-pace.C:
		case <-a.t.calls.Context.Done():
		}
	}
}

// announce refreshes the session, which has the peer take over what is new (RFC 3261
// §12.2). A peer that has no call ends ours; what else goes wrong is left to the session
// timer, when it has been tried for long enough.
func (a *announcer) announce(what announcement) {
	t := a.t
	for try := range announceTries {
		d, err := t.calls.Store.Load(context.Background(), what.id)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.calls.Context, 64*sip.T1)
		o := t.client.Refresh(ctx, what.id, refresher.Attempt{Session: d.Session, Method: what.method, Last: try > 0})
		cancel()
		switch {
		case errors.Is(o.Err, refresher.ErrSuperseded), errors.Is(o.Err, dialogstore.ErrNotFound):
			return
		case o.Err == nil && o.Status/100 == 2:
			return
		case o.Status == sip.StatusCallTransactionDoesNotExists:
			if set := t.calls.SetOf(context.Background(), what.id); set != nil {
				t.client.Hangup(context.Background(), set, what.id.RemoteTag,
					sessiontimer.Reason{Cause: sessiontimer.CauseRefreshAnswered, Status: o.Status})
			}
			return
		}
		select {
		case <-time.After(time.Second << try):
		case <-t.calls.Context.Done():
			return
		}
	}
}

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
	// mostAnnouncing is the most announcements under way at once.
	mostAnnouncing = 64
	// announceTries is how often one is sent. The pauses in between double from a second.
	announceTries = 5
)

// announcement tells the peer of a call that was taken over our new Contact or session
// description. Until then the peer's requests go to a host that is dead.
type announcement struct {
	id     dialogstore.ID
	method sessiontimer.Method
}

// announcer sends announcements in the order in which they were added, the most urgent
// calls first, and no faster than WithRefreshLimits allows.
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

// next returns the next announcement, or false if the worker should end.
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

// announce refreshes the session, and by that the Contact and description that the peer
// has (RFC 3261 §12.2). If the peer answers 481, we hang up. After other failures we try
// again a few times, then leave the call to its session timer.
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

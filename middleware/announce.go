package middleware

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/workers"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

const (
	// mostAnnouncing is the most announcements under way at once: a peer that does not
	// answer takes a place for 32 s.
	mostAnnouncing = 1000
	// announceTries is how often the peer of a call is told that no refresh of ours would
	// tell later. The pauses in between double from two seconds.
	announceTries = 4
)

// announcement is the first refresh of a call that was taken over. It tells the peer our
// new Contact or session description: until then the peer's requests go to a host that is
// dead. Or it asks whether the peer is still there.
type announcement struct {
	id     dialogstore.ID
	method sessiontimer.Method
	tries  int // before this one
}

// announcer sends announcements in the order in which they were added, the most urgent
// calls first, and no faster than WithRefreshLimits allows. What follows for a call is
// scheduled when its announcement was answered, or was not.
type announcer struct {
	t    *Timers
	crew workers.Crew

	mu      sync.Mutex
	waiting []announcement
	running int
}

func (a *announcer) workers() int { return min(mostAnnouncing, a.t.opts.limits.Unanswered) }

func (a *announcer) add(what announcement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, what)
	if a.running < a.workers() {
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
		return what, false
	}
	what, a.waiting = a.waiting[0], a.waiting[1:]
	return what, true
}

func (a *announcer) work() {
	pace := time.NewTicker(max(time.Millisecond, time.Duration(a.workers())*time.Second/time.Duration(a.t.opts.limits.PerSecond)))
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
// has (RFC 3261 §12.2). A peer that answers 481 has no call. Whatever else fails is left
// to the session timer: it refreshes the call again, or ends it if it has expired.
func (a *announcer) announce(what announcement) {
	t, ctx := a.t, context.Background()
	d, o, ok := a.refresh(what.id, what.method, false)
	if ok && o.Alternative && (errors.Is(o.Err, refresher.ErrGivenUp) || o.Err == nil && o.Status/100 != 2 && !indialog.Gone(o.Status)) {
		d, o, ok = a.refresh(what.id, other(o.Method), true)
	}
	switch {
	case !ok, o.Err == nil && o.Status/100 == 2:
		return
	case o.Status == sip.StatusCallTransactionDoesNotExists:
		if set := t.calls.SetOf(ctx, what.id); set != nil {
			t.client.Hangup(ctx, set, what.id.RemoteTag, sessiontimer.Reason{Cause: sessiontimer.CauseRefreshAnswered, Status: o.Status})
		}
		return
	}
	t.refresher.DialogChanged(ctx, &dialogstore.Change{After: d})
	if what.tries++; d.Session.Refresher == sessiontimer.Local || what.tries == announceTries {
		return
	}
	time.AfterFunc(time.Second<<what.tries, func() {
		if t.calls.Context.Err() == nil {
			a.add(what)
		}
	})
}

// refresh makes one attempt. It returns false if the call has ended, or was refreshed
// meanwhile.
func (a *announcer) refresh(id dialogstore.ID, method sessiontimer.Method, last bool) (d dialogstore.Dialog, o refresher.Outcome, ok bool) {
	t := a.t
	d, err := t.calls.Store.Load(context.Background(), id)
	if err != nil {
		return d, o, false
	}
	ctx, cancel := context.WithTimeout(t.calls.Context, 64*sip.T1)
	defer cancel()
	o = t.client.Refresh(ctx, id, refresher.Attempt{Session: d.Session, Method: method, Last: last})
	return d, o, t.calls.Context.Err() == nil && !errors.Is(o.Err, refresher.ErrSuperseded) && !errors.Is(o.Err, dialogstore.ErrNotFound)
}

func other(m sessiontimer.Method) sessiontimer.Method {
	if m == sessiontimer.MethodUpdate {
		return sessiontimer.MethodReInvite
	}
	return sessiontimer.MethodUpdate
}

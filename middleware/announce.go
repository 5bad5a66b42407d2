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

// mostAnnouncing bounds the announcements in progress, regardless of WithRefreshLimits.
const mostAnnouncing = 5000

// announceTries bounds the attempts for each announcement; the pause doubles after each.
const announceTries = 5

// hangUpAgain is the pause before another attempt to hang up a call.
const hangUpAgain = 2 * time.Second

// announcement is the first request in a call that was taken over. It gives the peer our new
// Contact or session description, since the peer still sends its requests to a dead host. Or
// it asks whether the peer is still there, or ends the call.
type announcement struct {
	id    dialogstore.ID
	news  news
	next  refresher.Attempt // the next attempt, without its session
	tries int               // attempts made so far
}

type news uint8

const (
	newContact news = iota // or nothing new: any refresh will do
	newDescription
	hangUp
)

// announcer sends announcements in the order in which they were added, the most urgent calls
// first, within the limits of WithRefreshLimits. A call is scheduled by the refresher after
// the first attempt of its announcement, answered or not.
type announcer struct {
	t    *Timers
	crew workers.Crew

	mu      sync.Mutex
	waiting []announcement
	running bool
}

func (a *announcer) add(what announcement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, what)
	if !a.running {
		a.running = true
		a.crew.Go(a.run)
	}
}

// next returns the next announcement; false ends run.
func (a *announcer) next() (what announcement, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) == 0 || a.t.calls.Context.Err() != nil {
		a.running, a.waiting = false, nil
		return what, false
	}
	what, a.waiting = a.waiting[0], a.waiting[1:]
	return what, true
}

func (a *announcer) run() {
	limits, done := a.t.opts.limits, a.t.calls.Context.Done()
	pace := time.Tick(max(time.Nanosecond, time.Second/time.Duration(limits.PerSecond)))
	places := make(chan struct{}, min(limits.Unanswered, mostAnnouncing))
	for {
		what, ok := a.next()
		if !ok {
			return
		}
		select {
		case places <- struct{}{}:
		case <-done:
			continue
		}
		a.crew.Go(func() {
			again, wait := a.announce(&what)
			<-places
			if again {
				a.later(what, wait)
			}
		})
		select {
		case <-pace:
		case <-done:
		}
	}
}

// later adds an announcement again.
func (a *announcer) later(what announcement, wait time.Duration) {
	select {
	case <-time.After(wait):
		a.add(what)
	case <-a.t.calls.Context.Done():
	}
}

// announce makes one attempt, and reports whether and when to make another.
func (a *announcer) announce(what *announcement) (again bool, wait time.Duration) {
	t, ctx := a.t, context.Background()
	if what.news == hangUp {
		a.hangup(what.id, sessiontimer.Reason{Cause: sessiontimer.CauseTakenOver})
		_, err := t.calls.Store.Load(ctx, what.id)
		again, wait = err == nil, hangUpAgain // the registry did not answer who owns the call
	} else {
		again, wait = a.refresh(what)
	}
	if !again || wait > 0 {
		if d, err := t.calls.Store.Load(ctx, what.id); err == nil {
			t.refresher.DialogChanged(ctx, &dialogstore.Change{After: d})
		}
	}
	return again, wait
}

// refresh refreshes the session, and with it the Contact and session description that the
// peer has (RFC 3261 §12.2). After a 481 the call is hung up: the peer does not have it. After
// any other lasting failure the session timer decides.
func (a *announcer) refresh(what *announcement) (again bool, wait time.Duration) {
	t := a.t
	d, err := t.calls.Store.Load(context.Background(), what.id)
	if err != nil {
		return false, 0
	}
	ctx, cancel := context.WithTimeout(t.calls.Context, 64*sip.T1)
	defer cancel()
	what.next.Cancel = cancel
	if what.tries == 0 || what.news == newDescription {
		what.next.Session = d.Session // not again for a Contact: a refresh since then has given it to the peer
	}
	o := t.client.Refresh(ctx, what.id, what.next)
	if again, wait = what.follow(o); again {
		return again, wait
	}
	switch {
	case o.Status == sip.StatusCallTransactionDoesNotExists:
		a.hangup(what.id, sessiontimer.Reason{Cause: sessiontimer.CauseRefreshAnswered, Status: o.Status})
	case refresher.Failed(o):
		t.refresher.Report(what.id, d.Session, o)
	}
	return false, 0
}

// follow reports whether and when to make another attempt. If the session was refreshed
// meanwhile, the peer has the Contact; only a re-INVITE gives it the description. If the
// stored session has expired, each method is tried only once.
func (w *announcement) follow(o refresher.Outcome) (again bool, wait time.Duration) {
	w.tries++
	next, wait, again := refresher.FollowUp(o)
	if w.news == newDescription {
		again = again && next == sessiontimer.MethodReInvite
		if errors.Is(o.Err, refresher.ErrSuperseded) {
			next, wait, again = sessiontimer.MethodReInvite, 0, true
		}
	}
	if !again || w.tries == announceTries || wait > 0 && overdue(w.next.Session) {
		return false, 0
	}
	w.next.UpdateRefused = w.next.UpdateRefused || next != o.Method && o.Method == sessiontimer.MethodUpdate
	w.next.Method = next
	if wait > 0 {
		wait = max(wait, time.Second<<(w.tries-1))
	}
	return true, wait
}

func (a *announcer) hangup(id dialogstore.ID, reason sessiontimer.Reason) {
	if set := a.t.calls.SetOf(context.Background(), id); set != nil {
		a.t.client.Hangup(context.Background(), set, id.RemoteTag, reason)
	}
}

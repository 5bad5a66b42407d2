package refresher

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// What follows an attempt, as soon as it is over. The session is of 90 s, and 45 s old.
func TestFollow(t *testing.T) {
	const update, invite = sessiontimer.MethodUpdate, sessiontimer.MethodReInvite
	expired := sessiontimer.Reason{Cause: sessiontimer.CauseExpired}
	for _, c := range []struct {
		name     string
		v        verdict
		o        Outcome
		attempts int8 // so far
		action   sessiontimer.Action
		after    time.Duration
		method   sessiontimer.Method // of the next attempt
		refused  int16
		ends     []sessiontimer.Reason // at once
		reason   sessiontimer.Reason   // that is kept
	}{
		{name: "the dialog is gone", v: vanished, attempts: 1, action: sessiontimer.Idle, reason: expired},
		{name: "refreshed: the end is left until the store tells of it", v: done, o: Outcome{Status: 200}, attempts: 1, action: sessiontimer.Hangup, after: 45 * time.Second, reason: expired},
		{name: "no more attempts", v: keep, o: Outcome{Status: 401}, attempts: 1, action: sessiontimer.Hangup, after: 45 * time.Second, refused: 401, reason: expired},
		{name: "dropped by the application", v: gone, attempts: 1, ends: []sessiontimer.Reason{{Cause: sessiontimer.CauseDialogClosed}}, reason: sessiontimer.Reason{Cause: sessiontimer.CauseDialogClosed}},
		{name: "answered that there is no call", v: end, o: Outcome{Status: 481}, attempts: 1, refused: 481,
			ends: []sessiontimer.Reason{{Cause: sessiontimer.CauseRefreshAnswered, Status: 481}}, reason: sessiontimer.Reason{Cause: sessiontimer.CauseRefreshAnswered, Status: 481}},
		{name: "not answered", v: end, attempts: 1, ends: []sessiontimer.Reason{{Cause: sessiontimer.CauseRefreshUnanswered}}, reason: sessiontimer.Reason{Cause: sessiontimer.CauseRefreshUnanswered}},
		{name: "busy: again in a second, and not counted", v: busy, attempts: 3, action: sessiontimer.Refresh, after: time.Second, reason: expired},
		{name: "the other method at once", v: other, o: Outcome{Method: update, Alternative: true, Status: 488}, attempts: 2, action: sessiontimer.Refresh, method: invite, refused: 488, reason: expired},
		{name: "the other method is not possible", v: other, o: Outcome{Method: update, Status: 488}, attempts: 1, action: sessiontimer.Hangup, after: 45 * time.Second, refused: 488, reason: expired},
		{name: "later, after a pause", v: later, o: Outcome{Method: update, Status: 503, RetryAfter: 3 * time.Second}, attempts: 1, action: sessiontimer.Refresh, after: 3 * time.Second, method: update, refused: 503, reason: expired},
		{name: "later, but that was the last attempt", v: later, o: Outcome{Method: update, Status: 503}, attempts: maxAttempts, action: sessiontimer.Hangup, after: 45 * time.Second, refused: 503, reason: expired},
	} {
		onRig(t, Limits{}, func(r *rig) {
			k := r.call("follow", ours(90*time.Second, 45*time.Second))
			k.attempts, k.running = c.attempts, 1
			if c.v == vanished {
				r.locked(func() { r.set(k, sessiontimer.Hangup, r.start.Add(time.Minute)) })
			}
			r.follow(k, k.session, c.v, c.o)
			action, after := r.scheduled(k)
			begun, ends := r.asked()
			if now := c.action == sessiontimer.Refresh && c.after == 0; now != (begun == 1) {
				t.Errorf("%s: %d refreshes begun at once", c.name, begun)
			} else if !now && (action != c.action || after != c.after) {
				t.Errorf("%s: %v after %v, want %v after %v", c.name, action, after, c.action, c.after)
			}
			if k.method != c.method || k.refused != c.refused || !slices.Equal(ends, c.ends) || (sessiontimer.Reason{Cause: k.cause, Status: int(k.status)}) != c.reason {
				t.Errorf("%s: next by %v, refused with %d, ended for %v, to be ended for %v %d", c.name, k.method, k.refused, ends, k.cause, k.status)
			}
			if want := c.attempts - 1; c.v == busy && k.attempts != want {
				t.Errorf("%s: %d attempts, want %d", c.name, k.attempts, want)
			}
		})
	}
}

// What is busy is tried again before the session ends. After the last chance of a session nothing
// else is; and of another session nothing follows.
func TestFollowLate(t *testing.T) {
	onRig(t, Limits{}, func(r *rig) {
		c := r.call("late", ours(90*time.Second, 90*time.Second-500*time.Millisecond))
		c.attempts, c.running = 1, 1
		r.follow(c, c.session, busy, Outcome{})
		if action, after := r.scheduled(c); action != sessiontimer.Refresh || after != 500*time.Millisecond {
			t.Errorf("busy at the end: %v after %v", action, after)
		}
		c.attempts = 1
		r.follow(c, c.session, later, Outcome{Method: sessiontimer.MethodUpdate, Status: 503})
		if action, after := r.scheduled(c); action != sessiontimer.Hangup || after != 500*time.Millisecond {
			t.Errorf("refused at the end: %v after %v", action, after)
		}
		r.follow(c, ours(time.Hour, 0), gone, Outcome{})
		if action, after := r.scheduled(c); action != sessiontimer.Hangup || after != 500*time.Millisecond || c.cause != sessiontimer.CauseExpired {
			t.Errorf("after what another session led to: %v after %v for %v", action, after, c.cause)
		}
	})
}

// F-20: which method comes next, after the one that failed before and the one that failed now.
func TestNextMethod(t *testing.T) {
	const update, invite, none = sessiontimer.MethodUpdate, sessiontimer.MethodReInvite, sessiontimer.MethodAuto
	for _, c := range []struct {
		v      verdict
		before sessiontimer.Method
		o      Outcome
		next   sessiontimer.Method // none: nothing can help
	}{
		{later, none, Outcome{Method: update, Status: 503, Alternative: true}, update},
		{later, update, Outcome{Method: update, Status: 503, Alternative: true}, invite},
		{later, invite, Outcome{Method: invite, Status: 503, Alternative: true}, update},
		{later, invite, Outcome{Method: update, Status: 503, Alternative: true}, update},
		{later, update, Outcome{Method: update, Status: 503}, update},
		{later, update, Outcome{Method: update, Err: errors.New("network is down"), Alternative: true}, update},
		{glare, invite, Outcome{Method: invite, Status: 491, Alternative: true}, update},
		{other, none, Outcome{Method: invite, Status: 488, Alternative: true}, update},
		{other, none, Outcome{Method: invite, Status: 488}, none},
		{reverse, none, Outcome{Method: update, Err: ErrGivenUp, Alternative: true}, invite},
		{reverse, none, Outcome{Method: update, Status: 405}, none},
	} {
		if next, ok := nextMethod(c.before, c.v, c.o); next != c.next || ok != (c.next != none) {
			t.Errorf("%s: %v, %v; want %v", fmt.Sprintf("%v before, now %+v", c.before, c.o), next, ok, c.next)
		}
	}
}

// The method that failed last is remembered, also where no attempt follows.
func TestAgainRemembers(t *testing.T) {
	onRig(t, Limits{}, func(r *rig) {
		c := r.call("again", ours(90*time.Second, 45*time.Second))
		c.attempts, c.running, c.failed = 1, 1, sessiontimer.MethodReInvite
		r.follow(c, c.session, other, Outcome{Method: sessiontimer.MethodUpdate, Status: 488})
		if c.failed != sessiontimer.MethodUpdate {
			t.Errorf("%v is remembered, want what failed last", c.failed)
		}
	})
}

package middleware_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// only is the one call of u.
func only(l *lab, t *middleware.Timers) (one middleware.Call) {
	l.Helper()
	n := 0
	for one = range t.Calls(context.Background()) {
		n++
	}
	if n != 1 {
		l.Fatalf("%d calls, want 1", n)
	}
	return one
}

// A view says what is agreed, and what comes next: the refresh, its attempts and how they
// went.
func TestCalls(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(middleware.WithJitter(0)), l.peer()
		began := time.Now()
		l.callPeer(alice, p, allow, ours)
		c := only(l, alice.Timers)
		if age := c.Began.Sub(began); age < 0 || age > time.Second || !c.Session.Active() || c.Policy.SessionExpires != 1800*time.Second {
			l.Errorf("began %v after the INVITE, session %+v, policy %+v", age, c.Session, c.Policy)
		}
		half := c.Session.Since.Add(900 * time.Second)
		if c.Plan.Action != sessiontimer.Refresh || !c.Plan.At.Equal(half) || c.Plan.Attempts != 0 {
			l.Errorf("far away: %+v, want a refresh at %v", c.Plan, half)
		}
		l.at(890 * time.Second)
		if c = only(l, alice.Timers); c.Plan.Action != sessiontimer.Refresh || !c.Plan.At.Equal(half) || c.Plan.UnderWay {
			l.Errorf("10 s before: %+v, want a refresh at %v", c.Plan, half)
		}
		req := p.ExpectRequest(l, sip.UPDATE)
		synctest.Wait()
		if c = only(l, alice.Timers); !c.Plan.UnderWay || c.Plan.Attempts != 1 {
			l.Errorf("not answered yet: %+v, want the first attempt under way", c.Plan)
		}
		p.Reply(req, 503, "Service Unavailable", "Retry-After: 20")
		l.at(902 * time.Second)
		c = only(l, alice.Timers)
		if in := time.Until(c.Plan.At); c.Plan.UnderWay || c.Plan.Attempts != 1 || c.Plan.Status != 503 || c.Plan.Action != sessiontimer.Refresh || in < 17*time.Second || in > 19*time.Second {
			l.Errorf("after a 503: %+v, in %v, want the next attempt in 18 s", c.Plan, in)
		}
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", ours)
		synctest.Wait()
		if c = only(l, alice.Timers); c.Plan.Attempts != 0 || c.Plan.Status != 0 || c.LastMethod != "UPDATE" {
			l.Errorf("refreshed: %+v by %s, want it to start over", c.Plan, c.LastMethod)
		}
		if same, err := alice.Timers.Call(l.Context(), c.ID); err != nil || same.CallID != c.CallID {
			l.Errorf("asked for by its ID: %v, %v", same.CallID, err)
		}
		if _, err := alice.Timers.Call(l.Context(), dialogstore.ID{}); !errors.Is(err, dialogstore.ErrNotFound) {
			l.Errorf("a call that there is not: %v, want ErrNotFound", err)
		}
	})
}

// What is remembered of attempts is over with a session that follows at once, too.
func TestCallsStartOver(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(60*time.Second)), l.peer()
		l.callPeer(alice, p, allow, "Session-Expires: 60;refresher=uac", timerHeader)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 503, "Service Unavailable")
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", "Session-Expires: 60;refresher=uac")
		synctest.Wait()
		if c := only(l, alice.Timers); c.Plan.Attempts != 0 || c.Plan.Status != 0 || c.Plan.Action != sessiontimer.Refresh {
			l.Errorf("after the second attempt: %+v, want nothing left of the first", c.Plan)
		}
	})
}

// While a loop stands still calls begin, are refreshed and end; and it ends with its
// context.
func TestCallsHoldNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, bob := l.alice(), l.bob()
		d := alice.Call(bob)
		ctx, cancel := context.WithCancel(l.Context())
		defer cancel()
		seen := 0
		for range alice.Timers.Calls(ctx) {
			seen++
			_ = d.Bye(l.Context())
			alice.Call(bob)
			time.Sleep(time.Hour)
			if s := alice.Timers.Stats(); s.Dialogs.Total() != 1 || s.Refreshed.Local.Update == 0 {
				l.Errorf("while the loop stands still: %+v, want one call, refreshed", s.CallStats)
			}
			cancel()
		}
		if seen != 1 {
			l.Errorf("%d calls with a context that ended at the first, want 1", seen)
		}
	})
}

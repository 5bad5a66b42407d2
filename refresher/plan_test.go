package refresher

import (
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// The plan for a dialog, in each state that its call may be in.
func TestPlan(t *testing.T) {
	const hour = time.Hour
	session := sessiontimer.Session{Interval: hour, Refresher: sessiontimer.Local, Since: time.Now()}
	after := session.Since.Add
	for _, c := range []struct {
		name    string
		session sessiontimer.Session
		state   func(s *Scheduler, c *call) // nil for a call with nothing due soon
		want    Plan
	}{
		{"without a timer", sessiontimer.Session{}, nil, Plan{}},
		{"far", session, nil, Plan{Action: sessiontimer.Refresh, At: after(hour / 2)}},
		{"refreshed meanwhile", session, func(s *Scheduler, c *call) {
			c.session.Since, c.attempts, c.refused = after(-hour/2), 2, 503
			s.due.add(c)
		}, Plan{Action: sessiontimer.Refresh, At: after(hour / 2)}},
		{"an attempt has failed", session, func(s *Scheduler, c *call) {
			c.action, c.at, c.attempts, c.refused = sessiontimer.Refresh, after(time.Minute).Sub(s.base), 1, 503
			s.due.add(c)
		}, Plan{Action: sessiontimer.Refresh, At: after(time.Minute), Attempts: 1, Status: 503}},
		{"to be hung up", session, func(s *Scheduler, c *call) {
			c.action, c.at = sessiontimer.Hangup, after(hour).Sub(s.base)
			s.due.add(c)
		}, Plan{Action: sessiontimer.Hangup, At: after(hour)}},
		{"waiting", session, func(s *Scheduler, c *call) {
			c.at = after(hour / 2).Sub(s.base)
			s.ready.add(c)
		}, Plan{Action: sessiontimer.Refresh, At: after(hour / 2), Waiting: true}},
		{"missed", session, func(s *Scheduler, c *call) {
			c.at, c.late, c.action = after(hour/2).Sub(s.base), true, sessiontimer.Hangup
			s.ready.add(c)
			s.due.add(c)
		}, Plan{Action: sessiontimer.Refresh, At: after(hour / 2), Waiting: true, Missed: true}},
		{"under way", session, func(_ *Scheduler, c *call) { c.cancel, c.attempts = func() {}, 1 },
			Plan{Action: sessiontimer.Hangup, At: after(hour), Attempts: 1, UnderWay: true}},
	} {
		s := New()
		d := &dialogstore.Dialog{Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: "plan"}}, State: dialogstore.State{Session: c.session}}
		if c.state != nil {
			call := newCall(d, s.calls.hash(d.ID))
			s.calls.add(call)
			c.state(s, call)
		}
		got := s.Plan(d)
		sameTime := got.At.Equal(c.want.At)
		if got.At = c.want.At; !sameTime || got != c.want {
			t.Errorf("%s: %+v, at the same time: %v; want %+v", c.name, got, sameTime, c.want)
		}
		s.Close()
	}
}

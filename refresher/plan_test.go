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

// A dialog is new once, if something is due soon; one that is far never is.
func TestScheduleReportsTheNew(t *testing.T) {
	s := New()
	defer s.Close()
	dialog := func(name string, version uint64, interval time.Duration) *dialogstore.Dialog {
		return &dialogstore.Dialog{Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: name}}, State: dialogstore.State{Version: version,
			Session: sessiontimer.Session{Interval: interval, Refresher: sessiontimer.Local, Since: time.Now()}}}
	}
	for _, c := range []struct {
		name string
		d    *dialogstore.Dialog
		want bool
		len  int
	}{
		{"far", dialog("far", 1, time.Hour), false, 0},
		{"without a timer", dialog("none", 1, 0), false, 0},
		{"near", dialog("near", 2, 70*time.Second), true, 1},
		{"the same version again", dialog("near", 2, time.Hour), false, 1},
		{"an older version", dialog("near", 1, time.Hour), false, 1},
		{"a later version that is far", dialog("near", 3, time.Hour), false, 0},
	} {
		if got := s.schedule(c.d); got != c.want || s.Len() != c.len {
			t.Errorf("%s: new %v, %d near; want %v, %d", c.name, got, s.Len(), c.want, c.len)
		}
	}
	s.Retire()
	if s.schedule(dialog("near", 4, 70*time.Second)) || s.Len() != 0 {
		t.Errorf("%d are near after Retire", s.Len())
	}
}

package refresher

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// A refresh is due up to its share of the time earlier, but not sooner after the 2xx than
// Pace; a hang-up is due when it is.
func TestJitterOfNext(t *testing.T) {
	s := New()
	defer s.Close()
	s.cfg.Jitter = 0.5
	since := time.Now()
	for _, c := range []struct {
		wait        time.Duration // for the refresh, without jitter
		attempted   bool
		least, most time.Duration
		spread      time.Duration // at least
	}{
		{1000 * time.Second, false, 500 * time.Second, 1000 * time.Second, 400 * time.Second},
		{sessiontimer.Pace + 1, false, sessiontimer.Pace, sessiontimer.Pace + 1, 0},
		{sessiontimer.Pace, false, sessiontimer.Pace, sessiontimer.Pace, 0},
		{sessiontimer.Pace - 1, false, sessiontimer.Pace - 1, sessiontimer.Pace - 1, 0},
		{1000 * time.Second, true, 2000 * time.Second, 2000 * time.Second, 0},
	} {
		session := sessiontimer.Session{Interval: 2 * c.wait, Refresher: sessiontimer.Local, Since: since}
		least, most := time.Duration(1<<62), time.Duration(0)
		for i := range 1000 {
			_, at := s.nextAfter(&dialogstore.ID{CallID: fmt.Sprint(i)}, session, c.attempted, since)
			least, most = min(least, at.Sub(since)), max(most, at.Sub(since))
		}
		if least < c.least || most > c.most || most-least < c.spread {
			t.Errorf("%v, attempted %v: due after %v to %v, want %v to %v", c.wait, c.attempted, least, most, c.least, c.most)
		}
	}
}

// A call that is far away becomes an ID in a slot, unless an attempt must be remembered or
// something is still in progress; then it waits for that.
func TestPlanOfCall(t *testing.T) {
	const near, far = 70 * time.Second, 30 * time.Minute
	for _, c := range []struct {
		name     string
		interval time.Duration
		attempts int8
		running  int16
		action   sessiontimer.Action
		after    time.Duration
		near     int
		replan   bool
	}{
		{"near", near, 0, 0, sessiontimer.Refresh, near / 2, 1, false},
		{"near, its refresh tried", near, 1, 0, sessiontimer.Hangup, near, 1, false},
		{"far", far, 0, 0, sessiontimer.Idle, 0, 0, false},
		{"far, its refresh tried", far, 1, 0, sessiontimer.Hangup, far, 1, false},
		{"far, in progress", far, 0, 1, sessiontimer.Idle, 0, 1, true},
		{"near, in progress", near, 0, 1, sessiontimer.Refresh, near / 2, 1, false},
	} {
		onRig(t, Limits{}, func(r *rig) {
			k := r.call("plan", ours(c.interval, 0))
			k.attempts, k.running = c.attempts, c.running
			r.locked(func() { r.set(k, sessiontimer.Hangup, r.start.Add(time.Hour)) })
			r.locked(func() { r.plan(k) })
			action, after := r.scheduled(k)
			if action != c.action || after != c.after || r.Len() != c.near || k.replan != c.replan || (len(r.far.pages) == 1) != (c.near == 0) {
				t.Errorf("%s: %v after %v, %d near, %d slots, replan %v; want %v after %v", c.name, action, after, r.Len(), len(r.far.pages), k.replan, c.action, c.after)
			}
			if !c.replan {
				return
			}
			k.running = 2
			for i, left := range []int{1, 0} {
				if r.locked(func() { r.over(k) }); r.Len() != left || len(r.far.pages) != i {
					t.Errorf("%s: after %d of 2 are over, %d near, %d slots", c.name, i+1, r.Len(), len(r.far.pages))
				}
			}
		})
	}
}

// What is set replaces what was, wherever the call was waiting. In the future it sets the alarm;
// otherwise it begins at once.
func TestSetReplaces(t *testing.T) {
	onRig(t, Limits{}, func(r *rig) {
		c := r.call("set", ours(30*time.Minute, 0))
		r.locked(func() {
			c.replan = true
			r.ready.add(c)
			r.setLate(c, true)
			r.set(c, sessiontimer.Hangup, r.start.Add(time.Minute))
		})
		if action, after := r.scheduled(c); action != sessiontimer.Hangup || after != time.Minute || c.late || c.replan || r.Stats().Missed != 0 || !r.alarm.at.Equal(r.start.Add(time.Minute)) {
			t.Errorf("%v after %v, late %v, replan %v, %d missed, the alarm at %v", action, after, c.late, c.replan, r.Stats().Missed, r.alarm.at)
		}
		r.locked(func() {
			c.replan = true
			r.setLate(c, true)
			r.unset(c)
		})
		if action, _ := r.scheduled(c); action != sessiontimer.Idle || c.late || c.replan {
			t.Errorf("after all was cancelled: %v, late %v, replan %v", action, c.late, c.replan)
		}
		r.locked(func() { r.set(c, sessiontimer.Refresh, r.clock) })
		if attempts, _ := r.asked(); attempts != 1 || c.running != 1 {
			t.Errorf("%d refreshes have begun, %d in progress; want one, at once", attempts, c.running)
		}
	})
}

// A call is released once nothing is scheduled and nothing in progress; what is over for a call
// that was removed plans nothing.
func TestRelease(t *testing.T) {
	onRig(t, Limits{}, func(r *rig) {
		for _, c := range []struct {
			name  string
			state func(*call)
			kept  bool
		}{
			{"nothing", func(*call) {}, false},
			{"due", func(c *call) { r.due.add(c) }, true},
			{"ready", func(c *call) { r.ready.add(c) }, true},
			{"in progress", func(c *call) { c.running = 1 }, true},
		} {
			k := r.call(c.name, ours(time.Hour, 0))
			r.locked(func() {
				c.state(k)
				r.release(k)
			})
			if found := r.calls.find(k.hash, k.id) != nil; found != c.kept || k.removed == c.kept {
				t.Errorf("%s: still known %v, removed %v", c.name, found, k.removed)
			}
			r.locked(func() { r.remove(k) })
		}
		k := r.call("removed", ours(70*time.Second, 0))
		r.locked(func() {
			k.running, k.replan = 1, true
			r.remove(k)
			k.replan = true
			r.over(k)
		})
		if action, _ := r.scheduled(k); action != sessiontimer.Idle || r.Len() != 0 {
			t.Errorf("%v is scheduled for a call that was removed", action)
		}
	})
}

// A result counts for the session that it is about, until the call or the scheduler is done.
func TestCurrent(t *testing.T) {
	onRig(t, Limits{}, func(r *rig) {
		session := ours(time.Hour, 0)
		c := r.call("current", session)
		other := session
		other.Since = other.Since.Add(1)
		if !r.current(c, session) || r.current(c, other) {
			t.Error("it counts for another session than its own")
		}
		if c.removed = true; r.current(c, session) {
			t.Error("it counts for a call that was removed")
		}
		if c.removed = false; r.current(c, session) {
			r.Retire()
		}
		if r.current(c, session) {
			t.Error("it counts after Retire")
		}
	})
}

// Another session starts over. A call that is dropped gives up its refresh.
func TestBeginAndDrop(t *testing.T) {
	onRig(t, Limits{}, func(r *rig) {
		c, fresh := r.call("begin", ours(time.Hour, time.Minute)), newCall(&dialogstore.Dialog{State: dialogstore.State{Session: ours(90*time.Second, 0)}}, 0)
		c.attempts, c.method, c.failed, c.cause, c.status, c.refused = 2, sessiontimer.MethodUpdate, sessiontimer.MethodUpdate, sessiontimer.CauseDialogClosed, 481, 503
		c.begin(fresh.session)
		if c.session != fresh.session || c.attempts != 0 || c.method != fresh.method || c.failed != fresh.failed || c.cause != sessiontimer.CauseExpired || c.status != 0 || c.refused != 0 {
			t.Errorf("it begins with %+v", c)
		}
		if c.drop(); !c.removed {
			t.Error("a call without a refresh is not dropped")
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		c.cancel = cancel
		if c.drop(); ctx.Err() == nil {
			t.Error("its refresh goes on")
		}
		synctest.Wait()
	})
}

// A call is far if what is due next is further away than the horizon, or nothing is.
func TestFar(t *testing.T) {
	onRig(t, Limits{}, func(r *rig) {
		id := &dialogstore.ID{CallID: "far"}
		for _, c := range []struct {
			session   sessiontimer.Session
			attempted bool
			far       bool
		}{
			{ours(2*horizon, 0), false, false},
			{ours(2*horizon+2, 0), false, true},
			{ours(2*horizon+2, time.Second), false, false},
			{ours(horizon+1, 0), true, true},
			{sessiontimer.Session{}, false, true},
		} {
			r.locked(func() {
				r.now()
				if _, _, far := r.next(id, c.session, c.attempted); far != c.far {
					t.Errorf("%+v, attempted %v: far %v", c.session, c.attempted, far)
				}
			})
		}
		time.Sleep(time.Second)
		r.locked(func() {
			if _, _, far := r.next(id, ours(2*horizon+2, time.Second), false); far || !r.clock.Equal(r.start.Add(time.Second)) {
				t.Errorf("far %v by the clock of a second ago", far)
			}
		})
	})
}

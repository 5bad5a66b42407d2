package refresher

import (
	"context"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/stall"
)

// What is due is ended or made ready; a refresh waits while the one of the session before is in
// progress. What is due later stays.
func TestTakeDue(t *testing.T) {
	onRig(t, Limits{}, func(r *rig) {
		over, ready, waits, later := r.call("over", ours(90*time.Second, 90*time.Second)), r.call("ready", ours(90*time.Second, 45*time.Second)),
			r.call("waits", ours(90*time.Second, 45*time.Second)), r.call("later", ours(90*time.Second, 0))
		over.action, ready.action, waits.action, later.action = sessiontimer.Hangup, sessiontimer.Refresh, sessiontimer.Refresh, sessiontimer.Refresh
		waits.cancel, later.at = func() {}, 1
		r.locked(func() {
			for _, c := range []*call{over, ready, waits, later} {
				r.due.add(c)
			}
			r.takeDue(r.base)
			if !r.ready.has(ready) || r.due.has(ready) || r.ready.has(waits) || r.ready.has(later) {
				t.Error("want the one refresh ready that is due and not in progress")
			}
			if waits.at != busyPause || later.at != 1 || !r.due.has(waits) || !r.due.has(later) {
				t.Errorf("the others are due at %v and %v", waits.at, later.at)
			}
		})
		if _, ends := r.asked(); len(ends) != 1 || r.due.has(over) || r.calls.find(over.hash, over.id) != nil {
			t.Errorf("%d sessions ended, want the one that is over", len(ends))
		}
	})
}

// RFC 4028 §10: a peer gives up a margin before expiry. A refresh that is later goes behind all
// others, and its session ends when it must.
func TestMissedRefresh(t *testing.T) {
	onRig(t, Limits{PerSecond: 1000, Unanswered: 1}, func(r *rig) {
		for _, c := range []struct {
			interval, age time.Duration
			missed        bool
		}{
			{90 * time.Second, 60*time.Second - 1, false},
			{90 * time.Second, 60 * time.Second, true},
			{1800 * time.Second, 1768*time.Second - 1, false},
			{1800 * time.Second, 1768 * time.Second, true},
		} {
			if k := (&call{session: ours(c.interval, c.age)}); k.missed(time.Now()) != c.missed {
				t.Errorf("%v after %v: missed %v", c.interval, c.age, !c.missed)
			}
		}
		r.gate.enter(sessiontimer.Refresh, r.start) // the only place is taken
		r.gate.heard = r.start
		late, soon, over := r.call("late", ours(90*time.Second, 70*time.Second)), r.call("soon", ours(90*time.Second, 50*time.Second)), r.call("over", ours(90*time.Second, 90*time.Second))
		var again time.Time
		r.locked(func() {
			for _, c := range []*call{late, soon, over} {
				r.ready.add(c)
			}
			again = r.startRefreshes(r.start, r.run)
		})
		if first := r.ready.first(); first != soon || !again.Equal(r.start.Add(pace)) {
			t.Errorf("%s comes first, asked again at %v; want the one that is in time, and soon", first.id.CallID, again)
		}
		if !late.late || !r.ready.has(late) || !r.due.has(late) || late.action != sessiontimer.Hangup || r.dueAt(late) != 20*time.Second || r.Stats().Missed != 1 {
			t.Errorf("the late one: late %v, %v after %v, %d missed; want it ready, and its end due", late.late, late.action, r.dueAt(late), r.Stats().Missed)
		}
		if _, ends := r.asked(); len(ends) != 1 || r.ready.has(over) || over.late {
			t.Errorf("%d sessions ended, want the one that is over", len(ends))
		}
		r.locked(func() {
			r.setLate(late, true)
			r.setLate(late, false)
			r.setLate(late, false)
		})
		if r.Stats().Missed != 0 {
			t.Errorf("%d are missed after none is", r.Stats().Missed)
		}
	})
}

// A refresh at its last chance may exceed the limit while others are answered, and no other may.
func TestUrgentRefresh(t *testing.T) {
	last := 90*time.Second - sessiontimer.Margin(90*time.Second)*11/10
	for _, c := range []struct {
		age   time.Duration
		late  bool
		begun int
	}{{last - 1, false, 0}, {last, false, 1}, {last, true, 0}} {
		onRig(t, Limits{PerSecond: 1000, Unanswered: 1}, func(r *rig) {
			k := r.call("urgent", ours(90*time.Second, c.age))
			r.locked(func() {
				r.gate.enter(sessiontimer.Refresh, r.start)
				r.gate.heard = r.start
				r.setLate(k, c.late)
				r.ready.add(k)
				r.startRefreshes(r.start, r.run)
			})
			if begun, _ := r.asked(); begun != c.begun {
				t.Errorf("after %v, late %v: %d begun, want %d", c.age, c.late, begun, c.begun)
			}
		})
	}
}

// What an attempt is told: its session and method, whether it is the last one, and whether an
// UPDATE was refused before. It lasts until the session ends.
func TestStart(t *testing.T) {
	const update, invite = sessiontimer.MethodUpdate, sessiontimer.MethodReInvite
	for _, c := range []struct {
		attempts      int8 // before
		failed        sessiontimer.Method
		last, refused bool
	}{
		{0, sessiontimer.MethodAuto, false, false},
		{1, update, false, false},
		{2, update, true, true},
		{2, invite, true, false},
	} {
		onRig(t, Limits{}, func(r *rig) {
			k := r.call("start", ours(90*time.Second, 45*time.Second))
			k.attempts, k.failed, k.method, k.at = c.attempts, c.failed, invite, -3*time.Second
			var begin step
			r.locked(func() {
				r.due.add(k)
				r.ready.add(k)
				begin = r.Scheduler.start(k, r.base)
			})
			if r.due.has(k) || r.ready.has(k) || k.running != 1 || k.attempts != c.attempts+1 || k.cancel == nil || r.Stats().Unanswered != 1 || r.Stats().Lateness.Sum != 3*time.Second {
				t.Errorf("begun: %d in progress, %d attempts, %v late", k.running, k.attempts, r.Stats().Lateness.Sum)
			}
			done := make(chan step)
			go func() { done <- begin() }()
			time.Sleep(45*time.Second - 1)
			if n, _ := r.asked(); n != 1 || r.Stats().Unanswered != 1 {
				t.Fatalf("%d attempts, %d in progress; want one until the session ends", n, r.Stats().Unanswered)
			}
			time.Sleep(time.Nanosecond)
			next := <-done
			if r.asked(); next != nil || r.Stats().Unanswered != 0 || k.running != 0 || k.cancel != nil {
				t.Errorf("afterwards %d are in progress, %d of the call", r.Stats().Unanswered, k.running)
			}
			a := r.attempts[0]
			if a.Session != k.session || a.Method != invite || a.Last != c.last || a.UpdateRefused != c.refused || a.Cancel == nil {
				t.Errorf("attempt %d after a failed %v is told %+v", c.attempts+1, c.failed, a)
			}
		})
	}
}

// While refreshes wait for answers, each second is looked at for a stall. A closed scheduler has
// no turns.
func TestNextLook(t *testing.T) {
	onRig(t, Limits{}, func(r *rig) {
		if at := r.nextLook(r.start); !at.IsZero() {
			t.Errorf("with nothing in progress it looks at %v", at)
		}
		r.gate.enter(sessiontimer.Hangup, r.start)
		if at := r.nextLook(r.start); !at.IsZero() {
			t.Errorf("with a BYE in progress it looks at %v", at)
		}
		r.gate.enter(sessiontimer.Refresh, r.start)
		if at := r.nextLook(r.start); !at.Equal(r.start.Add(stall.Least)) {
			t.Errorf("with a refresh in progress it looks at %v", at)
		}
		if at := r.nextDue(); !at.IsZero() {
			t.Errorf("with nothing due it waits for %v", at)
		}
		c := r.call("closed", ours(90*time.Second, 45*time.Second))
		r.locked(func() { r.due.add(c) })
		r.closed = true
		r.locked(r.turn)
		if r.closed = false; !r.due.has(c) {
			t.Error("a closed scheduler takes what is due")
		}
		if at := r.nextDue(); !at.Equal(r.base) {
			t.Errorf("what is due now is due at %v", at)
		}
	})
}

// A turn takes the alarm to whatever comes first: here a stall to look for, then what is due.
func TestTurnSetsAlarm(t *testing.T) {
	onRig(t, Limits{}, func(r *rig) {
		c := r.call("due", ours(90*time.Second, 0))
		c.action, c.at = sessiontimer.Refresh, 45*time.Second
		r.locked(func() {
			r.due.add(c)
			r.turn()
		})
		if want := r.start.Add(45 * time.Second); !r.alarm.at.Equal(want) {
			t.Errorf("the alarm is at %v, want it when the refresh is due", r.alarm.at.Sub(r.start))
		}
		r.locked(func() {
			r.gate.enter(sessiontimer.Refresh, r.start)
			r.turn()
			if want := r.start.Add(stall.Least); !r.alarm.at.Equal(want) {
				t.Errorf("the alarm is at %v, want it in a second", r.alarm.at.Sub(r.start))
			}
			r.gate.leave(sessiontimer.Refresh)
		})
	})
}

// The refresh that a worker leaves ready is the next one of the same worker.
func TestWorkerGoesOn(t *testing.T) {
	onRig(t, Limits{Unanswered: 1}, func(r *rig) {
		first, second := r.call("first", ours(90*time.Second, 45*time.Second)), r.call("second", ours(90*time.Second, 45*time.Second))
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		context.AfterFunc(ctx, func() { r.forget(first.id) })
		var begin step
		r.locked(func() {
			begin = r.Scheduler.start(first, r.base)
			r.ready.add(second)
		})
		time.AfterFunc(time.Second, cancel)
		next := begin()
		if next == nil || second.running != 1 {
			t.Fatal("the worker has nothing to do although a refresh is ready")
		}
		r.forget(second.id)
		if next() != nil {
			t.Error("the worker goes on although no refresh is ready")
		}
	})
}

package refresher

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// fullStore cannot store anything.
type fullStore struct {
	*dialogstore.Memory
	err error
}

// Update implements dialogstore.Store.
func (s fullStore) Update(context.Context, dialogstore.ID, func(dialogstore.Dialog) (dialogstore.State, error)) (before, after dialogstore.Dialog, err error) {
	return before, after, s.err
}

// That a refused UPDATE cannot be stored is logged, unless the call has ended.
func TestRefuseUpdateFails(t *testing.T) {
	for err, want := range map[error]bool{nil: false, dialogstore.ErrNotFound: false, errors.New("disk full"): true} {
		var log bytes.Buffer
		s := New()
		s.Configure(Config{Store: fullStore{dialogstore.NewMemory(), err}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		s.refuseUpdate(t.Context(), dialogstore.ID{CallID: "full", LocalTag: "l", RemoteTag: "r"})
		if got := strings.Contains(log.String(), "call_id=full local_tag=l remote_tag=r error=\"disk full\""); got != want {
			t.Errorf("%v: logged %q", err, log.String())
		}
		s.Close()
	}
}

// A failed refresh is logged with what identifies its call, and told to the application.
func TestReport(t *testing.T) {
	onRig(t, Limits{}, func(r *rig) {
		session, down := ours(90*time.Second, 45*time.Second), errors.New("network is down")
		for _, c := range []struct {
			o    Outcome
			log  string
			want sessiontimer.RefreshFailed
		}{
			{Outcome{Method: sessiontimer.MethodReInvite, Status: 503}, "method=INVITE status=503 error=<nil>", sessiontimer.RefreshFailed{Method: "INVITE", Status: 503}},
			{Outcome{Method: sessiontimer.MethodUpdate, Err: down}, `method=UPDATE status=0 error="network is down"`, sessiontimer.RefreshFailed{Method: "UPDATE", Err: down}},
		} {
			r.logs.Reset()
			r.Report(dialogstore.ID{CallID: "c", LocalTag: "l", RemoteTag: "r"}, session, c.o)
			c.want.Call = sessiontimer.Call{Time: r.start, CallID: "c", LocalTag: "l", RemoteTag: "r", Interval: session.Interval, Refresher: session.Refresher}
			if got := r.events[len(r.events)-1]; got != c.want {
				t.Errorf("told %+v, want %+v", got, c.want)
			}
			for _, part := range []string{"level=WARN", "call_id=c local_tag=l remote_tag=r interval=1m30s expires=" + session.ExpiresAt().Format("2006-01-02T15:04:05"), c.log} {
				if !strings.Contains(r.logs.String(), part) {
					t.Errorf("logged %s; want %s", r.logs.String(), part)
				}
			}
		}
	})
}

// What an attempt leads to besides the next one: failures are told, a refused UPDATE is stored, a
// session that was replaced is scheduled, and only a response is a sign of life.
func TestAttempted(t *testing.T) {
	for _, c := range []struct {
		name     string
		o        Outcome
		ended    bool // the call, meanwhile
		told     int
		noUpdate bool
		heard    bool
		action   sessiontimer.Action
		after    time.Duration
	}{
		{name: "refreshed", o: Outcome{Status: 200}, heard: true, action: sessiontimer.Hangup, after: 45 * time.Second},
		{name: "refused", o: Outcome{Method: sessiontimer.MethodUpdate, Status: 503, RetryAfter: time.Second}, told: 1, heard: true, action: sessiontimer.Refresh, after: time.Second},
		{name: "not sent", o: Outcome{Err: errors.New("network is down")}, told: 1, action: sessiontimer.Refresh, after: 5 * time.Second},
		{name: "busy", o: Outcome{Err: ErrBusy}, action: sessiontimer.Refresh, after: time.Second},
		{name: "no UPDATE", o: Outcome{Method: sessiontimer.MethodUpdate, Status: 501}, told: 1, noUpdate: true, heard: true, action: sessiontimer.Hangup, after: 45 * time.Second},
		{name: "replaced", o: Outcome{Err: ErrSuperseded}, action: sessiontimer.Refresh, after: 30 * time.Second},
		{name: "no UPDATE, in a call that has ended", o: Outcome{Method: sessiontimer.MethodUpdate, Status: 501}, ended: true, noUpdate: true, heard: true},
	} {
		onRig(t, Limits{Unanswered: 1}, func(r *rig) {
			k := r.call("attempted", ours(90*time.Second, 45*time.Second))
			stored := dialogstore.Dialog{Origin: dialogstore.Origin{ID: k.id}, State: dialogstore.State{Version: 2, Session: ours(60*time.Second, 0)}}
			if err := r.store.Create(t.Context(), stored); err != nil {
				t.Fatal(err)
			}
			k.attempts, k.running, k.cancel = 1, 1, func() {}
			p := &placed{Context: t.Context(), s: r.Scheduler, action: sessiontimer.Refresh}
			r.locked(func() {
				r.gate.enter(sessiontimer.Refresh, r.start)
				if c.ended {
					r.remove(k)
				}
			})
			a := Attempt{Session: k.session}
			r.attempted(p, k, a, c.o, r.start)
			action, after := r.scheduled(k)
			if action != c.action || after != c.after || len(r.events) != c.told || k.cancel != nil || !p.left || r.gate.heard.IsZero() == c.heard {
				t.Errorf("%s: %v after %v, %d told, its place given back %v, heard of at %v", c.name, action, after, len(r.events), p.left, r.gate.heard)
			}
			if d, err := r.store.Load(t.Context(), k.id); err != nil || d.NoUpdate != c.noUpdate {
				t.Errorf("%s: stored that it has no UPDATE: %v, %v", c.name, d.NoUpdate, err)
			}
			if got := int(r.Stats().Duration.Count()); got != map[bool]int{true: 1}[c.heard] {
				t.Errorf("%s: %d responses are counted", c.name, got)
			}
		})
	}
}

// A refresh that ran out of time while the process stood still has not failed: the response may
// have come. One that was answered has, whatever stood still.
func TestAttemptedAcrossStall(t *testing.T) {
	for _, c := range []struct {
		o       Outcome
		stalled bool
		told    int
	}{
		{Outcome{Err: ErrUnanswered}, true, 0},
		{Outcome{Err: ErrGivenUp}, true, 0},
		{Outcome{Err: context.DeadlineExceeded}, true, 0},
		{Outcome{Err: ErrUnanswered}, false, 1},
		{Outcome{Status: 503}, true, 1},
	} {
		onRig(t, Limits{}, func(r *rig) {
			k := r.call("stalled", ours(90*time.Second, 45*time.Second))
			k.attempts, k.running = 1, 1
			if c.stalled {
				r.locked(func() {
					r.wakeBy(r.start.Add(time.Second))
					r.alarm.stop()
				})
			}
			time.Sleep(10 * time.Second)
			r.attempted(t.Context(), k, Attempt{Session: k.session}, c.o, r.start)
			synctest.Wait()
			action, after := r.scheduled(k)
			if len(r.events) != c.told || c.told == 0 && (action != sessiontimer.Refresh || after != 11*time.Second || k.attempts != 0) {
				t.Errorf("%+v, stalled %v: %d told, then %v after %v, %d attempts", c.o, c.stalled, len(r.events), action, after, k.attempts)
			}
		})
	}
}

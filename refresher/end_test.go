package refresher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// What the end of a session leads to, by what the pipeline says of it. The refresh of the session
// is given up before.
func TestExpire(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		closed bool // while the pipeline is asked
		action sessiontimer.Action
		after  time.Duration
		byes   int
		log    string
	}{
		{name: "ended", byes: 1},
		{name: "ended, in a scheduler that is closed", closed: true},
		{name: "gone already", err: dialogstore.ErrNotFound, byes: 1},
		{name: "busy", err: ErrBusy, action: sessiontimer.Hangup, after: busyPause},
		{name: "replaced by another session", err: ErrSuperseded, action: sessiontimer.Refresh, after: 30 * time.Second},
		{name: "not stored", err: errors.New("disk full"), action: sessiontimer.Hangup, after: busyPause,
			log: `call_id=expire local_tag=l remote_tag=r error="wrapped: disk full"`},
	} {
		onRig(t, Limits{}, func(r *rig) {
			k := r.call("expire", ours(90*time.Second, 90*time.Second))
			d := dialogstore.Dialog{Origin: dialogstore.Origin{ID: k.id}, State: dialogstore.State{Version: 2, Session: ours(60*time.Second, 0)}}
			if err := r.store.Create(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			if c.err != nil {
				r.err = fmt.Errorf("wrapped: %w", c.err)
			}
			given := 0
			k.cancel, k.cause, k.status = func() { given++ }, sessiontimer.CauseRefreshAnswered, 481
			r.locked(func() {
				r.due.add(k)
				r.expire(k, r.start)
				r.closed = c.closed
			})
			_, ends := r.asked()
			action, after := r.scheduled(k)
			if given == 0 || !slices.Equal(ends, []sessiontimer.Reason{{Cause: sessiontimer.CauseRefreshAnswered, Status: 481}}) {
				t.Errorf("%s: given up %d refreshes, ended for %v", c.name, given, ends)
			}
			if action != c.action || after != c.after || (r.Len() == 1) != (c.after > 0) || k.running != 0 {
				t.Errorf("%s: %v after %v, %d calls, %d in progress; want %v after %v", c.name, action, after, r.Len(), k.running, c.action, c.after)
			}
			if r.byes != c.byes || r.Stats().Byes != 0 || r.gate.underWay[sessiontimer.Hangup].Load() != 0 {
				t.Errorf("%s: %d BYEs sent, %d wait, %d in progress; want %d sent", c.name, r.byes, r.Stats().Byes, r.gate.underWay[sessiontimer.Hangup].Load(), c.byes)
			}
			if got := r.logs.String(); !strings.Contains(got, c.log) || (got == "") != (c.log == "") {
				t.Errorf("%s: logged %s; want %s", c.name, got, c.log)
			}
		})
	}
}

// After a stall a session ends once what the peer sent meanwhile has been read.
func TestExpireAfterStall(t *testing.T) {
	onRig(t, Limits{}, func(r *rig) {
		c := r.call("stall", ours(90*time.Second, 90*time.Second))
		time.Sleep(10 * time.Second)
		r.locked(func() {
			r.stalls.Look(r.start, r.now())
			r.expire(c, r.clock)
		})
		if _, ends := r.asked(); len(ends) != 0 || c.action != sessiontimer.Hangup || r.base.Add(c.at) != r.stalls.Settled() || !r.due.has(c) {
			t.Errorf("%d sessions ended, %v after %v", len(ends), c.action, c.at)
		}
	})
}

// BYEs are sent in order, as the limits allow; the others are counted as waiting.
func TestSendByes(t *testing.T) {
	onRig(t, Limits{Unanswered: 1}, func(r *rig) {
		var sent []int
		free := make(chan struct{})
		for i := range 3 {
			r.Scheduler.byes = append(r.Scheduler.byes, func(context.Context) {
				sent = append(sent, i)
				<-free
			})
		}
		r.figures.byes.Store(3)
		var again time.Time
		r.locked(func() { again = r.sendByes(r.start) })
		if synctest.Wait(); !slices.Equal(sent, []int{0}) || r.Stats().Byes != 2 || !again.Equal(r.start.Add(pace)) {
			t.Errorf("sent %v, %d wait until %v; want the first sent", sent, r.Stats().Byes, again.Sub(r.start))
		}
		close(free)
		if synctest.Wait(); !slices.Equal(sent, []int{0, 1, 2}) || r.Stats().Byes != 0 || r.Scheduler.byes != nil {
			t.Errorf("sent %v, %d wait; want all sent", sent, r.Stats().Byes)
		}
		r.locked(func() { again = r.sendByes(r.start) })
		if !again.IsZero() {
			t.Errorf("with none left it asks again at %v", again)
		}
	})
}

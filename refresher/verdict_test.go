package refresher

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// What follows an attempt that is not the scheduler's: where it cannot help nothing, where
// another method can that one, and otherwise the same again after a pause.
func TestFollowUp(t *testing.T) {
	const update, invite, none = sessiontimer.MethodUpdate, sessiontimer.MethodReInvite, sessiontimer.MethodAuto
	for _, c := range []struct {
		name     string
		o        Outcome // UPDATE unless it says so; the other method is possible
		only     bool    // it is not
		next     sessiontimer.Method
		min, max time.Duration
	}{
		{name: "refreshed", o: Outcome{Status: 200}},
		{name: "refreshed meanwhile", o: Outcome{Err: ErrSuperseded}},
		{name: "the call ends", o: Outcome{Err: context.Canceled}},
		{name: "dropped by the application", o: Outcome{Err: ErrGone}},
		{name: "no credentials", o: Outcome{Status: 401}},
		{name: "no such call", o: Outcome{Status: 481}},
		{name: "no UPDATE", o: Outcome{Status: 501}, next: invite},
		{name: "no UPDATE, and no other", o: Outcome{Status: 501}, only: true},
		{name: "this re-INVITE is not acceptable", o: Outcome{Method: invite, Status: 488}, next: update},
		{name: "this re-INVITE is not acceptable, and no other", o: Outcome{Method: invite, Status: 488}, only: true},
		{name: "glare in a call of ours", o: Outcome{Status: 491, OwnsCallID: true}, next: update, min: 2100 * time.Millisecond, max: 4 * time.Second},
		{name: "glare in a call of the peer", o: Outcome{Status: 491}, next: update, max: 2 * time.Second},
		{name: "no answer", o: Outcome{Err: ErrUnanswered}, next: update, min: time.Second, max: time.Second},
		{name: "busy", o: Outcome{Err: ErrBusy}, next: update, min: time.Second, max: time.Second},
		{name: "the network is down", o: Outcome{Err: errors.New("network is down")}, next: update, min: time.Second, max: time.Second},
		{name: "a passing failure", o: Outcome{Status: 500}, next: update, min: time.Second, max: time.Second},
		{name: "a passing failure of a re-INVITE", o: Outcome{Method: invite, Status: 503}, next: invite, min: time.Second, max: time.Second},
		{name: "Retry-After", o: Outcome{Status: 503, RetryAfter: 20 * time.Second}, next: update, min: 20 * time.Second, max: 20 * time.Second},
		{name: "an hour of Retry-After", o: Outcome{Status: 503, RetryAfter: time.Hour}, next: update, min: 30 * time.Second, max: 30 * time.Second},
	} {
		if c.o.Method == none {
			c.o.Method = update
		}
		c.o.Alternative = !c.only
		for range 20 { // pauses are random
			next, wait, ok := FollowUp(c.o)
			if ok != (c.next != none) || ok && (next != c.next || wait < c.min || wait > c.max) {
				t.Errorf("%s: %v after %v, %v; want %v after %v to %v", c.name, next, wait, ok, c.next, c.min, c.max)
			}
		}
	}
}

// What has failed: not a refresh that was done, not needed, or put off.
func TestFailed(t *testing.T) {
	for _, c := range []struct {
		o              Outcome
		failed, unsent bool
	}{
		{o: Outcome{Status: 200}},
		{o: Outcome{Status: 299}},
		{o: Outcome{Status: 300}, failed: true},
		{o: Outcome{Status: 401}, failed: true},
		{o: Outcome{Status: 481}, failed: true},
		{o: Outcome{Err: ErrBusy}},
		{o: Outcome{Err: ErrGone}},
		{o: Outcome{Err: ErrUnanswered}, failed: true},
		{o: Outcome{Err: ErrTooLong}, failed: true},
		{o: Outcome{Err: errors.New("network is down")}, failed: true, unsent: true},
		{o: Outcome{Status: 200, Err: errors.New("not stored")}, failed: true, unsent: true},
		{o: Outcome{}, failed: true},
	} {
		if got := Failed(c.o); got != c.failed {
			t.Errorf("%+v has failed: %v", c.o, got)
		}
		if got := Unsent(c.o.Err); got != c.unsent {
			t.Errorf("%v, unsent: %v", c.o.Err, got)
		}
	}
}

// RFC 4028 §10, RFC 3261 §12.2.1.2, RFC 5057 §5.3: what a response means, and why there was none.
// F-03 to F-19.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		want   verdict
		status []int // whatever the method
		errs   []error
	}{
		{want: done, status: []int{200, 202, 299}, errs: []error{ErrSuperseded, context.Canceled}},
		{want: vanished, errs: []error{dialogstore.ErrNotFound}},
		{want: gone, errs: []error{ErrGone}},
		{want: busy, errs: []error{ErrBusy, errStalled}},
		{want: keep, status: []int{401, 407, 422}},
		{want: end, status: []int{404, 408, 410, 416, 480, 481, 482, 483, 484, 485, 502, 604}, errs: []error{ErrUnanswered}},
		{want: other, status: []int{400, 406, 413, 415, 488, 606}},
		{want: glare, status: []int{491}},
		{want: later, status: []int{100, 199, 300, 403, 500, 503, 600}, errs: []error{errors.New("network is down"), context.DeadlineExceeded, errExited, nil}},
	} {
		for _, m := range []sessiontimer.Method{sessiontimer.MethodUpdate, sessiontimer.MethodReInvite} {
			for _, status := range c.status {
				if got := judge(Outcome{Method: m, Status: status}); got != c.want {
					t.Errorf("%d to %v: %v, want %v", status, m, got, c.want)
				}
			}
			for _, err := range c.errs {
				o := Outcome{Method: m, Err: err}
				if err != nil {
					o.Err = fmt.Errorf("wrapped: %w", err)
				}
				if got := judge(o); got != c.want {
					t.Errorf("%v of %v: %v, want %v", err, m, got, c.want)
				}
			}
		}
	}
	for _, c := range []struct {
		o              Outcome
		update, invite verdict
	}{
		{Outcome{Status: 405}, reverse, end},
		{Outcome{Status: 501}, reverse, end},
		{Outcome{Err: ErrGivenUp}, reverse, end},
		{Outcome{Err: ErrTooLong}, later, other},
		{Outcome{Status: 200, Err: errors.New("not stored")}, later, later},
	} {
		c.o.Method = sessiontimer.MethodUpdate
		update := judge(c.o)
		c.o.Method = sessiontimer.MethodReInvite
		if invite := judge(c.o); update != c.update || invite != c.invite {
			t.Errorf("%+v: %v, and %v to an UPDATE; want %v and %v", c.o, invite, update, c.invite, c.update)
		}
	}
}

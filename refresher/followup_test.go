package refresher_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// What follows an attempt that is not the scheduler's: where it cannot help nothing, where
// another method can that one, and otherwise the same again after a pause.
func TestFollowUp(t *testing.T) {
	const update, invite, none = sessiontimer.MethodUpdate, sessiontimer.MethodReInvite, sessiontimer.MethodAuto
	type outcome = refresher.Outcome
	for _, c := range []struct {
		name     string
		o        outcome // UPDATE unless it says so; the other method is possible
		only     bool    // it is not
		next     sessiontimer.Method
		min, max time.Duration
	}{
		{name: "refreshed", o: outcome{Status: 200}},
		{name: "refreshed meanwhile", o: outcome{Err: refresher.ErrSuperseded}},
		{name: "the call ends", o: outcome{Err: context.Canceled}},
		{name: "dropped by the application", o: outcome{Err: refresher.ErrGone}},
		{name: "no credentials", o: outcome{Status: 401}},
		{name: "no such call", o: outcome{Status: 481}},
		{name: "no UPDATE", o: outcome{Status: 501}, next: invite},
		{name: "no UPDATE, and no other", o: outcome{Status: 501}, only: true},
		{name: "this re-INVITE is not acceptable", o: outcome{Method: invite, Status: 488}, next: update},
		{name: "this re-INVITE is not acceptable, and no other", o: outcome{Method: invite, Status: 488}, only: true},
		{name: "glare in a call of ours", o: outcome{Status: 491, OwnsCallID: true}, next: update, min: 2100 * time.Millisecond, max: 4 * time.Second},
		{name: "glare in a call of the peer", o: outcome{Status: 491}, next: update, max: 2 * time.Second},
		{name: "no answer", o: outcome{Err: refresher.ErrUnanswered}, next: update, min: time.Second, max: time.Second},
		{name: "busy", o: outcome{Err: refresher.ErrBusy}, next: update, min: time.Second, max: time.Second},
		{name: "the network is down", o: outcome{Err: errors.New("network is down")}, next: update, min: time.Second, max: time.Second},
		{name: "a passing failure", o: outcome{Status: 500}, next: update, min: time.Second, max: time.Second},
		{name: "a passing failure of a re-INVITE", o: outcome{Method: invite, Status: 503}, next: invite, min: time.Second, max: time.Second},
		{name: "Retry-After", o: outcome{Status: 503, RetryAfter: 20 * time.Second}, next: update, min: 20 * time.Second, max: 20 * time.Second},
		{name: "an hour of Retry-After", o: outcome{Status: 503, RetryAfter: time.Hour}, next: update, min: 30 * time.Second, max: 30 * time.Second},
	} {
		if c.o.Method == none {
			c.o.Method = update
		}
		c.o.Alternative = !c.only
		for range 20 { // pauses are random
			next, wait, ok := refresher.FollowUp(c.o)
			if ok != (c.next != none) || ok && (next != c.next || wait < c.min || wait > c.max) {
				t.Errorf("%s: %v after %v, %v; want %v after %v to %v", c.name, next, wait, ok, c.next, c.min, c.max)
			}
		}
	}
}

// What has failed: not a refresh that was done, not needed, or put off.
func TestFailed(t *testing.T) {
	for _, c := range []struct {
		o              refresher.Outcome
		failed, unsent bool
	}{
		{o: refresher.Outcome{Status: 200}},
		{o: refresher.Outcome{Status: 299}},
		{o: refresher.Outcome{Status: 300}, failed: true},
		{o: refresher.Outcome{Status: 401}, failed: true},
		{o: refresher.Outcome{Status: 481}, failed: true},
		{o: refresher.Outcome{Err: refresher.ErrBusy}},
		{o: refresher.Outcome{Err: refresher.ErrGone}},
		{o: refresher.Outcome{Err: refresher.ErrUnanswered}, failed: true},
		{o: refresher.Outcome{Err: refresher.ErrTooLong}, failed: true},
		{o: refresher.Outcome{Err: errors.New("network is down")}, failed: true, unsent: true},
		{o: refresher.Outcome{Status: 200, Err: errors.New("not stored")}, failed: true, unsent: true},
		{o: refresher.Outcome{}, failed: true},
	} {
		if got := refresher.Failed(c.o); got != c.failed {
			t.Errorf("%+v has failed: %v", c.o, got)
		}
		if got := refresher.Unsent(c.o.Err); got != c.unsent {
			t.Errorf("%v, unsent: %v", c.o.Err, got)
		}
	}
}

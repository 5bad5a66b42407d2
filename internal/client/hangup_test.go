package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

var (
	expired    = sessiontimer.Reason{Cause: sessiontimer.CauseExpired}
	unanswered = sessiontimer.Reason{Cause: sessiontimer.CauseRefreshUnanswered}
	gone       = sessiontimer.Reason{Cause: sessiontimer.CauseRefreshAnswered, Status: 481}
)

// RFC 4028 §10: a call ends when its session expires. Before that, whatever may still refresh it
// is waited for; a peer that has not acknowledged our 2xx gets no BYE (RFC 3261 §15); and no
// call is ended that may be another node's.
func TestPipelineEnd(t *testing.T) {
	ctx := context.Background()
	const life = 30 * time.Minute
	answered := func(c *call) {
		p, _ := c.dialog.OpenInvite(1)
		c.dialog.Answered(p, time.Now())
	}
	overOnly := func(c *call) { c.ownership = node{may: func(over bool) bool { return over }} }
	for _, c := range []struct {
		name    string
		at      time.Duration // since the 2xx
		reason  sessiontimer.Reason
		before  func(*call)
		session func(*sessiontimer.Session)
		want    error
	}{
		{"at expiry", life, expired, nil, nil, nil},
		{"the session is another by now", life, expired, nil, func(s *sessiontimer.Session) { s.Interval++ }, refresher.ErrSuperseded},
		{"the dialog is gone", life, expired, func(c *call) { _, _ = c.calls.Store.Delete(ctx, c.d.ID) }, nil, dialogstore.ErrNotFound},
		{"the application's offer is open", life - 1, unanswered, func(c *call) { c.dialog.Offering(new(offer)) }, nil, refresher.ErrBusy},
		{"the same at expiry", life, expired, func(c *call) { c.dialog.Offering(new(offer)) }, nil, nil},
		{"an UPDATE of the peer is open", life - 1, unanswered, func(c *call) { c.dialog.OpenUpdate(false) }, nil, refresher.ErrBusy},
		{"our 2xx has no ACK at expiry", life, expired, answered, nil, refresher.ErrBusy},
		{"the peer has proved nothing", life, expired, func(c *call) {
			c.dialog.ExpectAck(1, time.Now().Add(-time.Hour), time.AfterFunc(time.Hour, func() {}))
		}, nil, refresher.ErrBusy},
		{"nobody answers, and the registry does not either", life - 1, unanswered, overOnly, nil, refresher.ErrBusy},
		{"the same at expiry", life, expired, overOnly, nil, nil},
		{"the peer says that it is over", life / 2, gone, overOnly, nil, nil},
		{"the peer may have refreshed it elsewhere", life - 1, expired, (*call).overtaken, nil, refresher.ErrBusy},
		{"the same at expiry", life, expired, (*call).overtaken, nil, nil},
		{"the same, but nobody has answered", life - 1, unanswered, (*call).overtaken, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			ofPeer := func(d *dialogstore.Dialog) { d.Session.Refresher = sessiontimer.Peer }
			inCall(t, ofPeer, func(t *testing.T, call *call) {
				s := call.d.Session
				time.Sleep(c.at)
				_, call.dialog = call.calls.Sets.Resume(&call.d)
				call.calls.Ask = func(dialogstore.ID) {}
				if c.before != nil {
					c.before(call)
				}
				if c.session != nil {
					c.session(&s)
				}
				bye, err := call.End(t.Context(), call.d.ID, s, c.reason)
				if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || (bye == nil) != (c.want != nil) {
					t.Fatalf("%v, want %v", err, c.want)
				}
				_, err = call.calls.Store.Load(ctx, call.d.ID)
				if ended := errors.Is(err, dialogstore.ErrNotFound); ended != (c.want == nil || errors.Is(c.want, dialogstore.ErrNotFound)) {
					t.Errorf("the dialog is gone: %t", ended)
				}
				if len(call.sent()) > 0 {
					t.Error("a BYE has left before it was asked for")
				}
				if bye != nil {
					bye(t.Context())
					got := call.peer.ExpectRequest(t, sip.BYE)
					call.peer.Reply(got, 200, "OK")
				}
			})
		})
	}
}

// overtaken makes the call one whose peer may have refreshed its session at the former owner.
func (c *call) overtaken() {
	c.calls.Expect(c.d.ID, "other", true)
	c.calls.Adopt(&c.d, true)
}

// The peer is asked once whether the session that was taken over is still in force.
func TestDoubtful(t *testing.T) {
	inCall(t, func(d *dialogstore.Dialog) { d.Session.Refresher = sessiontimer.Peer }, func(t *testing.T, c *call) {
		c.overtaken()
		asked := 0
		c.calls.Ask = func(id dialogstore.ID) {
			if asked++; id != c.d.ID {
				t.Errorf("%v is asked", id)
			}
		}
		for range 3 {
			if !c.doubtful(c.d.ID, c.d.Session) {
				t.Error("it is not in doubt")
			}
		}
		if c.doubtful(c.set.ID("other"), c.d.Session) || asked != 1 {
			t.Errorf("a call of ours is in doubt, or the peer was asked %d times, want once", asked)
		}
	})
}

// A call is over for its peer if the session has expired, or if the peer says so with a 408 or
// 481 (RFC 3261 §12.2.1.2), whichever node has it.
func TestOver(t *testing.T) {
	now := time.Now()
	session := func(left time.Duration) sessiontimer.Session {
		return sessiontimer.Session{Interval: time.Minute, Refresher: sessiontimer.Peer, Since: now.Add(left - time.Minute)}
	}
	for _, c := range []struct {
		name   string
		s      sessiontimer.Session
		status int
		want   bool
	}{
		{"in force", session(time.Hour), 0, false},
		{"expired", session(0), 0, true},
		{"no session", sessiontimer.Session{}, 0, false},
		{"no session, 481", sessiontimer.Session{}, 481, true},
		{"408", session(time.Hour), 408, true},
		{"481", session(time.Hour), 481, true},
		{"another refusal", session(time.Hour), 488, false},
	} {
		if got := over(c.s, sessiontimer.Reason{Status: c.status}); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

// Hangup sends a BYE, with the reason in it (RFC 3326), to the peer and then one to the
// application. A call that has ended gets none, nor one that may be another node's.
func TestHangup(t *testing.T) {
	for _, c := range []struct {
		name   string
		may    func(over bool) bool
		reason sessiontimer.Reason
		byes   int
	}{
		{"ours", nil, unanswered, 1},
		{"not ours", func(bool) bool { return false }, unanswered, 0},
		{"whose is not known", func(over bool) bool { return over }, unanswered, 0},
		{"over anyway", func(over bool) bool { return over }, gone, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCall(t, nil, func(t *testing.T, call *call) {
				var order []string
				call.calls.SetApplication(calls.Application{Bye: func(*sip.Request, sip.ServerTransaction) {
					order = append(order, "application")
				}})
				call.ownership = node{may: c.may}
				for range 2 {
					call.Hangup(t.Context(), call.set, "theirs", c.reason)
				}
				for range c.byes {
					got := call.peer.ExpectRequest(t, sip.BYE)
					if h := got.GetHeader("Reason"); h == nil || !strings.Contains(h.Value(), "cause=408") || got.CSeq().SeqNo != 11 {
						t.Errorf("Reason %v, CSeq %d", h, got.CSeq().SeqNo)
					}
					call.peer.Reply(got, 200, "OK")
				}
				synctest.Wait()
				if sent := len(call.sent()); sent != c.byes || len(order) != c.byes {
					t.Errorf("%d BYEs to the peer, %d to the application; want %d", sent, len(order), c.byes)
				}
				if _, err := call.calls.Store.Load(t.Context(), call.d.ID); (err != nil) != (c.byes > 0) {
					t.Errorf("the dialog: %v", err)
				}
				call.wantLog(t, c.byes, "ending the call", call.d.ID)
				call.wantLog(t, 0, "BYE", call.d.ID)
			})
		})
	}
}

// The application gets its BYE as soon as that to the peer was sent or has failed. Nobody waits
// for the peer's answer, which may never come. Both failures are logged.
func TestByeFails(t *testing.T) {
	for _, c := range []struct {
		name   string
		target string
		logged string
		after  time.Duration
	}{
		{"it cannot be sent", "sip:peer@client.invalid", "cannot send the BYE", 0},
		{"nobody answers", "sip:peer@" + them, "the peer did not answer the BYE", 64 * sip.T1},
	} {
		t.Run(c.name, func(t *testing.T) {
			nowhere := func(d *dialogstore.Dialog) { d.RemoteTarget, d.Source = c.target, "" }
			inCall(t, nowhere, func(t *testing.T, call *call) {
				told, begun := time.Duration(-1), time.Now()
				call.calls.SetApplication(calls.Application{Bye: func(*sip.Request, sip.ServerTransaction) { told = time.Since(begun) }})
				call.Hangup(t.Context(), call.set, "theirs", unanswered)
				if synctest.Wait(); told != 0 || time.Since(begun) != 0 {
					t.Errorf("the application is told after %v, Hangup returns after %v; want both at once", told, time.Since(begun))
				}
				if c.after > 0 {
					call.wantLog(t, 0, "BYE", call.d.ID)
				}
				time.Sleep(c.after)
				synctest.Wait()
				call.wantLog(t, 1, c.logged, call.d.ID, "error=")
			})
		})
	}
}

// If our refreshes were answered nowhere, the BYE does not try each place for as long as they did.
func TestByeStays(t *testing.T) {
	for _, c := range []struct {
		cause     sessiontimer.Cause
		refresher sessiontimer.Refresher
		want      bool
	}{
		{sessiontimer.CauseRefreshUnanswered, sessiontimer.Local, true},
		{sessiontimer.CauseRefreshUnanswered, sessiontimer.Peer, true},
		{sessiontimer.CauseExpired, sessiontimer.Local, true},
		{sessiontimer.CauseExpired, sessiontimer.Peer, false},
		{sessiontimer.CauseRefreshAnswered, sessiontimer.Local, false},
	} {
		inCall(t, func(d *dialogstore.Dialog) { d.Session.Refresher = c.refresher }, func(t *testing.T, call *call) {
			o, err := call.dispatchBye(t.Context(), call.set, &call.d, byeOf{sessiontimer.Reason{Cause: c.cause}, call.ownership.Key(call.d.ID), toHangUp(true)})
			if err != nil {
				t.Fatal(err)
			}
			if o.stays != c.want {
				t.Errorf("%v, refresher %v: it stays: %t, want %t", c.cause, c.refresher, o.stays, c.want)
			}
			o.transaction().Terminate()
		})
	}
}

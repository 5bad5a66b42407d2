package middleware_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// The times of the timing table: F-01, C-03. The party that waits hangs up a margin
// before expiry, whichever side it is.
// Also F-02.
func TestEndPeerSilent(t *testing.T) {
	for _, c := range []struct {
		interval int
		hangup   float64
	}{
		{90, 60}, {96, 64}, {100, 68}, {120, 88}, {180, 148}, {300, 268}, {600, 568}, {1800, 1768}, {4000, 3968},
	} {
		t.Run(fmt.Sprintf("F-01 caller waits %d s", c.interval), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithSessionExpires(max(1800*time.Second, seconds(float64(c.interval))))), l.peer()
				d := l.callPeer(alice, p, "Require: timer", fmt.Sprintf("Session-Expires: %d;refresher=uas", c.interval))
				l.at(seconds(c.hangup) + time.Second)
				l.wantSent(aliceAddr, sip.BYE, seconds(c.hangup))
				l.wantEnded("alice", d)
				l.wantNothingLeft(alice)
			})
		})
		t.Run(fmt.Sprintf("F-01 callee waits %d s", c.interval), func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(middleware.WithSessionExpires(7200*time.Second)), l.peer()
				d, _ := l.peerCalls(p, bob, "Supported: timer", fmt.Sprintf("Session-Expires: %d;refresher=uac", c.interval))
				l.at(seconds(c.hangup) + time.Second)
				l.wantSent(bobAddr, sip.BYE, seconds(c.hangup))
				l.wantEnded("bob", d)
				l.wantNothingLeft(bob)
			})
		})
	}
}

// F-03, F-04, F-05, F-23: a refresh that proves the peer gone ends the call at
// once, with a Reason.
func TestEndRefreshProvesPeerGone(t *testing.T) {
	for _, c := range []struct {
		row    string
		answer int // 0: never
		hangup float64
		reason string
	}{
		{"F-03 never answered", 0, 900 + 32, "Session refresh failed"},
		{"F-04 408", 408, 900, "Session refresh answered 408"},
		{"F-05 481", 481, 900, "Session refresh answered 481"},
		{"F-17 404", 404, 900, "Session refresh answered 404"},
	} {
		t.Run(c.row, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				d := l.callPeer(alice, p, "Allow: INVITE, UPDATE", "Session-Expires: 1800;refresher=uac")
				l.at(seconds(899))
				update := p.ExpectRequest(l, sip.UPDATE)
				if c.answer != 0 {
					p.Reply(update, c.answer, "Gone")
				}
				if c.answer == 0 {
					l.at(seconds(900 + 24))
					p.ExpectRequest(l, sip.INVITE) // some answer no UPDATE, whatever their Allow says
					l.at(seconds(931))
				}
				bye := p.ExpectRequest(l, sip.BYE)
				l.wantSent(aliceAddr, sip.BYE, seconds(c.hangup))
				if got, want := field(bye, "Reason"), fmt.Sprintf("SIP;cause=408;text=%q", c.reason); got != want {
					l.Errorf("F-23: BYE says Reason %q, want %q", got, want)
				}
				p.Reply(bye, 481, "Who?")
				synctest.Wait()
				l.wantEnded("alice", d)
				want := "Negotiated RefreshFailed Expired Ended"
				if c.answer == 0 {
					want = "Negotiated RefreshFailed RefreshFailed Expired Ended"
				}
				if got := strings.Join(events(alice), " "); got != want {
					l.Errorf("events are %q, want %q", got, want)
				}
				l.wantNothingLeft(alice)
				l.wantSent(aliceAddr, sip.BYE, seconds(c.hangup))
			})
		})
	}
}

// F-20, F-21: a peer that refuses every refresh gets three of them, the last by the
// other method, and a BYE at expiry.
func TestEndRefreshAlwaysRefused(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		d := l.callPeer(alice, p, "Allow: INVITE, UPDATE", "Session-Expires: 1800;refresher=uac")
		l.at(seconds(899))
		for range 3 {
			l.wantAlive("alice", d)
			for {
				if msg, ok := p.Recv(400 * time.Second); ok {
					p.Reply(msg.(*sip.Request), 500, "Busy")
					break
				}
			}
		}
		l.at(seconds(1801))
		if updates, invites := l.sent(aliceAddr, sip.UPDATE), l.sent(aliceAddr, sip.INVITE)[1:]; len(updates) != 2 || len(invites) != 1 {
			l.Errorf("F-20: refreshes at %v and %v, want three", updates, invites)
		}
		l.wantSent(aliceAddr, sip.BYE, seconds(1800))
		l.wantEnded("alice", d)
		l.wantNothingLeft(alice)
	})
}

// F-22: an unanswered BYE is not sent twice and leaves nothing behind, and later errors
// have no effect.
func TestEndVanishedPeer(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, bob := l.alice(middleware.WithSessionExpires(90*time.Second)), l.bob()
		d := alice.Call(bob)
		l.net.Silence(bobAddr)
		l.at(200 * time.Second)
		l.wantEnded("alice", d)
		l.wantEnded("bob", bob.Answered())
		l.wantSent(aliceAddr, sip.BYE, 77*time.Second)
		l.wantSent(bobAddr, sip.BYE, 60*time.Second)
		l.wantNothingLeft(alice, bob)
	})
}

// However a call ends or fails to begin, nothing of it is left behind.
func TestEndLeavesNothing(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		run  func(l *lab, alice, bob *sipua.UA)
	}{
		{"BYE by the caller", func(l *lab, alice, bob *sipua.UA) {
			if err := alice.Call(bob).Bye(ctx); err != nil {
				l.Errorf("Bye: %v", err)
			}
		}},
		{"BYE by the callee", func(l *lab, alice, bob *sipua.UA) {
			alice.Call(bob)
			if err := bob.Answered().Bye(ctx); err != nil {
				l.Errorf("Bye: %v", err)
			}
		}},
		{"BYE after refreshes", func(l *lab, alice, bob *sipua.UA) {
			d := alice.Call(bob)
			time.Sleep(time.Hour + time.Minute)
			if err := d.Bye(ctx); err != nil {
				l.Errorf("Bye: %v", err)
			}
			l.wantEnded("bob", bob.Answered())
		}},
		{"Trap21 busy", func(l *lab, alice, bob *sipua.UA) {
			bob.Accept = func(d *sipgo.DialogServerSession) { _ = d.Respond(486, "Busy Here", nil) }
			if _, err := alice.Try(bob); err == nil {
				l.Error("the call succeeded, want 486")
			}
		}},
		{"Trap21 refused after ringing", func(l *lab, alice, bob *sipua.UA) {
			bob.Accept = func(d *sipgo.DialogServerSession) {
				_ = d.Respond(180, "Ringing", nil)
				time.Sleep(10 * time.Second)
				_ = d.Respond(603, "Decline", nil)
			}
			if _, err := alice.Try(bob); err == nil {
				l.Error("the call succeeded, want 603")
			}
		}},
		{"Trap21 unanswered INVITE", func(l *lab, alice, bob *sipua.UA) {
			l.net.Silence(bobAddr)
			if _, err := alice.Try(bob); err == nil {
				l.Error("the call succeeded, want a timeout")
			}
			l.net.Restore(bobAddr)
		}},
		{"Trap21 cancelled", func(l *lab, alice, bob *sipua.UA) {
			bob.Accept = func(d *sipgo.DialogServerSession) {
				_ = d.Respond(180, "Ringing", nil)
				<-d.Context().Done()
			}
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			if _, err := alice.TryURI(ctx, bobURI); err == nil {
				l.Error("the call succeeded, want it cancelled")
			}
		}},
		{"session expired", func(l *lab, alice, bob *sipua.UA) {
			alice.Call(bob)
			l.net.Silence(aliceAddr)
			time.Sleep(2 * time.Hour)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, bob := l.alice(), l.bob()
				c.run(l, alice, bob)
				l.wantNothingLeft(alice, bob)
			})
		})
	}
}

// Timers.Close ends no call and stops every timer.
func TestEndClose(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, bob := l.alice(), l.bob()
		d := alice.Call(bob)
		l.at(1000 * time.Second)
		for _, u := range l.uas {
			if err := u.Timers.Close(); err != nil {
				l.Errorf("Close: %v", err)
			}
		}
		before := len(l.net.Messages())
		l.at(2 * time.Hour)
		if after := len(l.net.Messages()); after != before {
			l.Errorf("%d messages after Close, want none", after-before)
		}
		l.wantAlive("alice", d)
		// The CSeq numbers of the refreshes so far stay used.
		if err := d.Bye(context.Background()); err != nil {
			l.Errorf("Bye after Close: %v", err)
		}
		l.wantEnded("bob", bob.Answered())
		for _, u := range l.uas {
			if _, watched, _ := u.Timers.Left(); watched != 0 {
				l.Errorf("%s watches %d dialogs after Close, want none", u.Name, watched)
			}
		}
	})
}

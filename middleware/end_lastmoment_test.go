package middleware_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// answerAfter returns a slow handler.
func answerAfter(u *sipua.UA, wait time.Duration, status int) func(*sip.Request, sip.ServerTransaction) {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		time.Sleep(wait)
		res := sip.NewResponseFromRequest(req, status, "Well", nil)
		if status == 200 {
			res = sip.NewSDPResponseFromRequest(req, []byte(u.SDP))
			res.AppendHeader(&sip.ContactHeader{Address: bobURI})
		}
		_ = tx.Respond(res)
	}
}

// F-24, D-21: a refresh of the peer that is being answered when the hang-up is due is
// answered first. A 2xx renews the session; anything else ends it then, and expiry ends it
// in any case.
func TestLastMoment(t *testing.T) {
	const begun = 60*time.Second - 10*time.Millisecond
	for _, method := range []sip.RequestMethod{sip.INVITE, sip.UPDATE} {
		for _, c := range []struct {
			wait   time.Duration
			status int
			bye    time.Duration
		}{
			{0, 200, begun + 60*time.Second},
			{5 * time.Second, 200, begun + 65*time.Second},
			{5 * time.Second, 488, 65 * time.Second},
			{5 * time.Second, 500, 65 * time.Second},
			{time.Hour, 200, 90 * time.Second},
		} {
			t.Run(fmt.Sprintf("F-24 %s answered %d after %v", method, c.status, c.wait), func(t *testing.T) {
				inLab(t, func(l *lab) {
					bob, p := l.bob(middleware.WithAnswerReInvite(false)), l.peer()
					d, _ := l.peerCalls(p, bob, timerHeader, "Session-Expires: 90;refresher=uac")
					bob.Server.OnInvite(answerAfter(bob, c.wait, c.status))
					bob.Server.OnUpdate(answerAfter(bob, c.wait, c.status))
					l.at(begun)
					p.Request(method, timerHeader, "Session-Expires: 90;refresher=uac", sdp2)
					if c.wait < time.Hour {
						res := p.ExpectResponse(l, c.status)
						if method == sip.INVITE {
							p.Ack(res)
						}
					}
					l.at(c.bye - 10*time.Millisecond)
					l.wantAlive("bob", d)
					l.at(c.bye + 2*time.Second)
					got := l.sent(bobAddr, sip.BYE)
					if len(got) != 1 || got[0] < c.bye-10*time.Millisecond || got[0] > c.bye+time.Second {
						l.Errorf("BYE at %v, want one at %v or within the next second", got, c.bye)
					}
					l.wantEnded("bob", d)
					time.Sleep(2 * time.Hour)
				})
			})
		}
	}
	t.Run("F-24 F-02 UPDATE without a body, answered here", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			d, _ := l.peerCalls(p, bob, timerHeader, "Session-Expires: 90;refresher=uac")
			for _, at := range []time.Duration{59990, 119980, 179970} {
				l.at(at * time.Millisecond)
				p.Request(sip.UPDATE, timerHeader, "Session-Expires: 90;refresher=uac")
				wantStatus(l, p, "the UPDATE", 200)
			}
			l.wantAlive("bob", d)
			l.at(239970 * time.Millisecond)
			l.wantSent(bobAddr, sip.BYE, 239970*time.Millisecond)
		})
	})
}

// F-25: the peer's BYE while our refresh waits for its next attempt: nothing more is sent.
// The same while its own re-INVITE is being answered: after the answer nothing is sent.
func TestByeInBetween(t *testing.T) {
	inRefreshing(t, "F-25 between two tries", 1800, func(c refreshing) {
		c.at(c.half)
		c.refuse(c.p.ExpectRequest(c, c.method), 500)
		c.p.Request(sip.BYE)
		wantStatus(c.lab, c.p, "the BYE", 200)
		c.p.Quiet(c, 2*time.Hour)
		c.wantEnded(c.u.Name, c.d)
		c.wantNothingLeft(c.u)
	})
	t.Run("F-25 during the peer's re-INVITE", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			d, _ := l.peerCalls(p, bob, timerHeader, allow, "Session-Expires: 1800;refresher=uas")
			bob.ReInvite = answerAfter(bob, 5*time.Second, 487)
			l.at(100 * time.Second)
			p.Request(sip.INVITE, timerHeader, se1800, sdp2)
			invite := l.net.Elapsed()
			p.Request(sip.BYE)
			if res := wantStatus(l, p, "the BYE", 200); res.CSeq().MethodName != sip.BYE {
				l.Errorf("the first answer is for %s, want BYE", res.CSeq().MethodName)
			}
			p.Ack(p.ExpectResponse(l, 487))
			if got := l.net.Elapsed() - invite; got != 5*time.Second {
				l.Errorf("the re-INVITE is answered after %v, want the application's answer after 5 s", got)
			}
			p.Quiet(l, time.Hour)
			l.wantEnded("bob", d)
			l.wantNothingLeft(bob)
		})
	})
}

// F-26: after a 2xx that switches the timer off there is no refresh and no hang-up, for
// either side and either request.
func TestSwitchedOff(t *testing.T) {
	t.Run("F-26 our refresh, strictly read", func(t *testing.T) {
		inRefreshing(t, "F-26", 1800, func(c refreshing) {
			c.at(c.half)
			req := c.p.ExpectRequest(c, c.method)
			c.p.Reply(req, 200, "OK")
			if req.IsInvite() {
				c.p.ExpectRequest(c, sip.ACK)
			}
			c.p.Quiet(c, 24*time.Hour)
			c.wantAlive(c.u.Name, c.d)
		}, middleware.WithStrict())
	})
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		t.Run("F-26 the application's "+string(method)+", the peer refreshes", func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				d := l.callPeer(alice, p, allow, timerHeader, "Session-Expires: 1800;refresher=uas")
				l.at(500 * time.Second)
				go func() { _, _ = alice.Send(d, peerAddr, method, hold) }()
				p.Reply(p.ExpectRequest(l, method), 200, "OK")
				if method == sip.INVITE {
					p.ExpectRequest(l, sip.ACK)
				}
				p.Quiet(l, 24*time.Hour)
				l.wantAlive("alice", d)
			})
		})
	}
}

// F-27: after a stop of any length an expired call is ended at once, a call whose refresh
// is overdue is refreshed at once, and the others wait for their time.
func TestRestoreAfterStop(t *testing.T) {
	for _, c := range []struct {
		refresher sessiontimer.Refresher
		down      time.Duration
		method    sip.RequestMethod
		at        time.Duration
	}{
		{sessiontimer.Local, 500 * time.Second, sip.UPDATE, 900 * time.Second},
		{sessiontimer.Local, 1000 * time.Second, sip.UPDATE, 1100 * time.Second},
		{sessiontimer.Local, 1690 * time.Second, sip.UPDATE, 1790 * time.Second},
		{sessiontimer.Local, 1700 * time.Second, sip.BYE, 1800 * time.Second},
		{sessiontimer.Local, time.Hour, sip.BYE, time.Hour + 100*time.Second},
		{sessiontimer.Peer, 1000 * time.Second, sip.BYE, 1768 * time.Second},
		{sessiontimer.Peer, 1700 * time.Second, sip.BYE, 1800 * time.Second},
		{sessiontimer.Peer, time.Hour, sip.BYE, time.Hour + 100*time.Second},
	} {
		t.Run(fmt.Sprintf("F-27 %v refreshes, %v down", c.refresher, c.down), func(t *testing.T) {
			inLab(t, func(l *lab) {
				registry := newFarRegistry()
				alice, p := l.alice(on(registry)), l.peer()
				role := map[sessiontimer.Refresher]string{sessiontimer.Local: "uac", sessiontimer.Peer: "uas"}[c.refresher]
				l.callPeer(alice, p, allow, timerHeader, "Session-Expires: 1800;refresher="+role)
				l.at(100 * time.Second)
				alice = l.restart(alice, c.down, on(registry))
				l.at(c.at)
				if c.method == sip.BYE && c.at == c.down+100*time.Second {
					// It has expired, by what is stored: the peer is asked first.
					p.Reply(p.ExpectRequest(l, sip.UPDATE), 481, "Gone")
				}
				p.Reply(p.ExpectRequest(l, c.method), 200, "OK", se1800)
				synctest.Wait()
				l.wantSent(aliceAddr, c.method, c.at)
				if c.method == sip.BYE && c.at == c.down+100*time.Second {
					l.wantNothingLeft(alice)
				}
			})
		})
	}
}

package middleware_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// D-17, D-18, D-19: half the interval passes while a request of the application waits for
// its answer.
func TestRefreshBehindRequest(t *testing.T) {
	for _, c := range []struct {
		name  string
		allow string // which decides how we refresh
		app   sip.RequestMethod
		body  string
		at    float64 // of the refresh; 0: none before the answer
	}{
		{"D-17 re-INVITE behind a re-INVITE", "Allow: INVITE", sip.INVITE, hold, 0},
		{"D-17 re-INVITE behind an UPDATE with an offer", "Allow: INVITE", sip.UPDATE, hold, 0},
		{"D-18 UPDATE behind a re-INVITE", allow, sip.INVITE, hold, 904},
		{"D-18 re-INVITE behind an UPDATE without one", "Allow: INVITE", sip.UPDATE, "", 904},
		{"D-19 UPDATE behind an UPDATE", allow, sip.UPDATE, "", 0},
		{"D-19 UPDATE behind an UPDATE with an offer", allow, sip.UPDATE, hold, 0},
		{"UPDATE behind an INFO", allow, sip.INFO, "", 904},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				call := l.callPeer(alice, p, ours, c.allow)
				l.at(899 * time.Second)
				go func() { _, _ = alice.Send(call, peerAddr, c.app, c.body) }()
				waiting := p.ExpectRequest(l, c.app)
				if c.app == sip.INVITE {
					p.Reply(waiting, 100, "Trying")
				}
				if c.at > 0 {
					l.at(seconds(c.at))
				} else {
					l.at(920 * time.Second)
				}
				method := sip.UPDATE
				if c.allow != allow {
					method = sip.INVITE
				}
				refreshes := l.sent(aliceAddr, method)
				if method == sip.INVITE {
					refreshes = refreshes[1:]
				}
				if c.app == method {
					refreshes = refreshes[1:]
				}
				if c.at == 0 && len(refreshes) > 0 || c.at > 0 && (len(refreshes) != 1 || refreshes[0] != seconds(c.at)) {
					l.Errorf("refreshes at %v, want one at %v (0: none yet)", refreshes, c.at)
				}
				if c.at > 0 {
					l.refreshed(p, method)
				}
				// The answer refreshes like any other, and makes ours unnecessary. One to an
				// UPDATE may have been on its way since that was sent, at 899 s.
				next := l.net.Elapsed() + 900*time.Second
				if c.app == sip.UPDATE {
					next = 1799 * time.Second
				}
				p.Reply(waiting, 200, "OK", ours, c.allow)
				if c.app == sip.INVITE {
					p.ExpectRequest(l, sip.ACK)
				}
				synctest.Wait()
				if c.app != sip.INFO {
					l.wantNext(p, method, next)
				}
			})
		})
	}
}

// D-17, D-19: the application's request does not overtake a refresh of the same method
// either; other requests wait for at most T1.
func TestRequestBehindRefresh(t *testing.T) {
	for _, c := range []struct {
		name  string
		allow string
		app   sip.RequestMethod
		at    float64 // at which the application's request leaves; the refresh is answered at 910 s
	}{
		{"D-17 re-INVITE behind a re-INVITE", "Allow: INVITE", sip.INVITE, 910},
		{"D-19 UPDATE behind an UPDATE", allow, sip.UPDATE, 910},
		{"D-18 UPDATE behind a re-INVITE", "Allow: INVITE", sip.UPDATE, 900.5},
		{"re-INVITE behind an UPDATE", allow, sip.INVITE, 900.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				call := l.callPeer(alice, p, ours, c.allow)
				l.at(900 * time.Second)
				method := sip.UPDATE
				if c.allow != allow {
					method = sip.INVITE
				}
				refresh := p.ExpectRequest(l, method)
				p.Reply(refresh, 100, "Trying")
				before := len(l.sent(aliceAddr, c.app))
				go func() { _, _ = alice.Send(call, peerAddr, c.app, "") }()
				l.at(910*time.Second - 1)
				if n := len(l.sent(aliceAddr, c.app)) - before; (n == 1) != (c.at < 910) {
					l.Errorf("the application's %s was sent %d times before 910 s, want it at %v", c.app, n, c.at)
				}
				l.at(910 * time.Second)
				p.Reply(refresh, 200, "OK", ours)
				synctest.Wait()
				sent := l.sent(aliceAddr, c.app)
				if got := sent[len(sent)-1]; len(sent) != before+1 || got != seconds(c.at) {
					l.Errorf("the application's %s is sent at %v, want %v", c.app, sent[before:], c.at)
				}
			})
		})
	}
}

// D-25: a refresh that gets nothing after a 100 does not keep the call up. A re-INVITE of the
// application that waits for it goes out when a transaction would be over.
func TestRefreshStuck(t *testing.T) {
	for _, status := range []int{100, 183} {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			call := l.callPeer(alice, p, ours, "Allow: INVITE")
			l.at(899 * time.Second)
			refresh := p.ExpectRequest(l, sip.INVITE)
			p.Reply(refresh, status, "Wait")
			l.at(1000 * time.Second)
			done := make(chan *sip.Response, 1)
			go func() {
				res, _ := alice.Send(call, peerAddr, sip.INVITE, hold)
				done <- res
			}()
			l.at(1032 * time.Second)
			l.wantSent(aliceAddr, sip.INVITE, 0, 900*time.Second, 1032*time.Second)
			second := p.ExpectRequest(l, sip.INVITE)
			p.Reply(second, 500, "Server Internal Error", "Retry-After: 5")
			p.ExpectRequest(l, sip.ACK)
			if res := <-done; res == nil || res.StatusCode != 500 {
				l.Errorf("the application gets %v, want the peer's 500", res)
			}
			l.at(1800*time.Second - 1)
			l.wantAlive("alice", call)
			l.at(1800 * time.Second)
			l.wantSent(aliceAddr, sip.BYE, 1800*time.Second)
			p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
			p.Reply(refresh, 487, "Request Terminated")
			p.ExpectRequest(l, sip.ACK)
			l.wantEnded("alice", call)
			l.wantNothingLeft(alice)
		})
	}
}

// D-17: we send no re-INVITE while the peer's is unanswered. If it fails, ours
// follows; if not, it has refreshed.
func TestRefreshBehindPeersReInvite(t *testing.T) {
	for _, status := range []int{200, 488} {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			l.callPeer(alice, p, ours, "Allow: INVITE")
			alice.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
				time.Sleep(20 * time.Second)
				res := sip.NewSDPResponseFromRequest(req, []byte(alice.SDP))
				res.StatusCode = status
				_ = tx.Respond(res)
			}
			l.at(890 * time.Second)
			p.Request(sip.INVITE, timerHeader, "Session-Expires: 1800;refresher=uas", sdp2)
			l.at(910*time.Second - 1)
			l.wantSent(aliceAddr, sip.INVITE, 0)
			res := p.ExpectResponse(l, status)
			p.Ack(res)
			if status == 200 {
				l.wantNext(p, sip.INVITE, 1810*time.Second)
				return
			}
			if p.ExpectRequest(l, sip.INVITE); l.net.Elapsed() > 915*time.Second {
				l.Errorf("our refresh follows the failed re-INVITE at %v, want it soon", l.net.Elapsed())
			}
		})
	}
}

// E-35, J-09, F-09: two user agents that both believe to be the refresher send their
// re-INVITEs at once. Each gets 491; the first one after its pause is the only refresher
// from then on.
func TestRefreshesCross(t *testing.T) {
	for range 5 { // the pauses are random
		inLab(t, func(l *lab) {
			method := middleware.WithMethod(sessiontimer.MethodReInvite)
			alice, bob := l.alice(method), l.bob(method)
			call := alice.Call(bob)
			l.net.SetFilter(func(sipnet.Packet) sipnet.Verdict { return sipnet.Verdict{Delay: 20 * time.Millisecond} })
			bothRefresh(l, bob)
			l.at(904 * time.Second)
			if a, b := l.count(aliceAddr, "491 Request Pending (INVITE)"), l.count(bobAddr, "491 Request Pending (INVITE)"); a != 1 || b != 1 {
				l.Errorf("alice sent %d and bob %d 491s, want one each", a, b)
			}
			l.at(2 * time.Hour)
			l.wantAlive("alice", call)
			l.wantAlive("bob", bob.Answered())
			after := func(addr string) int {
				n := 0
				for _, at := range l.sent(addr, sip.INVITE) {
					if at > 905*time.Second {
						n++
					}
				}
				return n
			}
			a, b := after(aliceAddr), after(bobAddr)
			if (a == 0) == (b == 0) || a+b < 6 {
				l.Errorf("after the crossing alice refreshed %d and bob %d times in two hours, want 6 or more by one of them", a, b)
			}
			checkRetries(l)
		})
	}
}

// bothRefresh makes bob believe that he is the refresher, from the same time on as alice.
func bothRefresh(l *lab, bob *sipua.UA) {
	for d, err := range bob.Timers.Store().All(l.Context()) {
		if err != nil {
			l.Fatal(err)
		}
		_, _, err = bob.Timers.Store().Update(l.Context(), d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
			d.Session.Refresher = sessiontimer.Local
			return d.State, nil
		})
		if err != nil {
			l.Fatal(err)
		}
	}
}

// checkRetries checks the pauses after the 491s: 2.1 to 4 s for alice, who owns the
// Call-ID, and up to 2 s for bob.
func checkRetries(l *lab) {
	l.Helper()
	const heard = 900*time.Second + 40*time.Millisecond
	for addr, limits := range map[string][2]time.Duration{
		aliceAddr: {2100 * time.Millisecond, 4 * time.Second},
		bobAddr:   {0, 2 * time.Second},
	} {
		for _, at := range l.sent(addr, sip.INVITE) {
			if pause := at - heard; at > 900*time.Second && at < 910*time.Second && (pause < limits[0] || pause > limits[1]) {
				l.Errorf("%s tries again after %v, want %v", names[addr], pause, limits)
			}
		}
	}
}

// D-23, E-34: if our refresh and the peer's cross and settle different intervals, we refresh
// in time for both: each side may take the other's for the later one.
func TestCrossingRefreshesDiffer(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		l.callPeer(alice, p, allow, timerHeader, se1800)
		l.at(899 * time.Second)
		update := p.ExpectRequest(l, sip.UPDATE)
		l.at(seconds(900.25))
		p.Request(sip.UPDATE, timerHeader, "Session-Expires: 600;refresher=uas")
		wantStatus(l, p, "the peer's UPDATE", 200)
		l.at(seconds(900.5))
		p.Reply(update, 200, "OK", se1800)
		synctest.Wait()
		l.wantNext(p, sip.UPDATE, seconds(1200.5))
	})
}

// E-31: an UPDATE is answered at once and by nothing else, while the application
// is stuck in its handlers.
func TestUpdateWhileApplicationBlocks(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithAnswerUpdate(true)), l.peer()
		release := make(chan struct{})
		defer close(release)
		bob.Accept = func(d *sipgo.DialogServerSession) {
			_ = d.RespondSDP([]byte(bob.SDP))
			<-release
		}
		bob.Server.OnUpdate(func(*sip.Request, sip.ServerTransaction) { <-release })
		l.peerCalls(p, bob, timerHeader, allow, se1800)
		l.at(900 * time.Second)
		p.Request(sip.UPDATE, timerHeader, se1800)
		msg, _ := p.RecvAny(time.Nanosecond)
		if res, ok := msg.(*sip.Response); !ok || res.StatusCode != 200 {
			l.Errorf("the UPDATE got %v at once, want 200", msg)
		}
	})
}

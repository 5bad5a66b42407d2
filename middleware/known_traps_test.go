package middleware_test

// Known mistakes of other implementations, and the tests that exclude them here. Tests
// without a package are in this one.
//
//	 1  roles kept as uac and uas          TestRoleMatrix, TestTable2
//	 2  a timer that nobody negotiated     TestTrap02
//	 3  a refresh that restarts nothing    TestEachSuccessRestarts, TestIncomingBodilessUpdate, refresher.TestNewsRearm
//	 4  a lower interval ignored           TestEachSuccessRestarts
//	 5  a hold that flips the refresher    TestTrap05, TestRoleMatrix
//	 6  a refresh or its 200 without SE    TestEndDuringRefresh, TestIncomingBodilessUpdate
//	 7  the next try on the deadline       refresher.TestThreeAttempts, TestEndPeerSilent
//	 8  any answer taken alike             refresher.TestFailureTable, TestEndRefreshProvesPeerGone
//	 9  422                                TestRetryAfter422, TestAnswerTo, TestRefreshRefusedWith422
//	10  an interval raised                 TestTrap10
//	11  stale SDP                          TestReInviteRepeatsSDP, refresher.TestRequestBody
//	12  glare                              TestEndDuringRefresh, TestEndByesCross, the TestGlares
//	13  CSeq shared                        TestNumbersRise, TestConcurrentRequests, TestEndByeChallenged
//	14  a timer from the INVITE on         TestTrap14
//	15  SE without refresher               TestTrap15
//	16  a refresh to the wrong place       TestRefreshFollowsContact, refresher.TestRequestRoutes
//	17  UPDATE to who cannot               TestUpdateWithdrawn, TestAllowLearntLater, sessiontimer.TestFieldsAdd
//	18  headers twice or out of place      TestTrap18
//	19  headers misread                    TestTrap19, sessiontimer.TestFieldsAdd
//	20  a lock over a transaction          TestTrap20
//	21  what outlives a call               TestEndLeavesNothing, TestTrap21
//	22  off turned on again                TestTrap22OffStaysOff
//	23  failover, TCP                      TestStoreRestart, TestFinalResponseIsNeverLost, TestRetryBetweenUserAgents
//	24  diago's factories                  diagotimer.TestUpdateWithoutBody_Trap24, TestPeersReInvite_Trap24_E22
//	25  a 2xx sent again                   TestTrap25, TestAnsweredHere

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// C-07: no Session-Expires in the 2xx, no timer, however long.
func TestTrap02NoTimerUnlessNegotiated(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		d := l.callPeer(alice, p, allow)
		l.at(25 * time.Hour)
		l.wantAlive("alice", d)
		l.wantSent(aliceAddr, sip.UPDATE)
		l.wantSent(aliceAddr, sip.BYE)
	})
}

// E-24: the peer's hold without a refresher parameter leaves us refresher.
func TestTrap05HoldKeepsRefresher(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		l.callPeer(alice, p, allow, timerHeader, se1800)
		l.at(500 * time.Second)
		p.Request(sip.INVITE, timerHeader, "Session-Expires: 1800", sdp2)
		res := wantStatus(l, p, "the hold", 200)
		p.Ack(res)
		if got := field(res, "Session-Expires"); got != "1800;refresher=uas" {
			l.Errorf("the 200 says %q, want alice still to refresh: 1800;refresher=uas", got)
		}
		l.at(1401 * time.Second)
		l.wantSent(aliceAddr, sip.UPDATE, 1400*time.Second)
	})
}

// E-09, C-12: we raise no interval; a peer that does is refreshed in time for
// both values.
func TestTrap10IntervalRaised(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithSessionExpires(2*time.Hour)), l.peer()
		_, res := l.peerCalls(p, bob, timerHeader, "Session-Expires: 600;refresher=uac")
		if got := field(res, "Session-Expires"); got != "600;refresher=uac" {
			l.Errorf("asked for 600 s, the 200 says %q", got)
		}
	})
	inLab(t, func(l *lab) {
		alice, p := l.alice(middleware.WithSessionExpires(10*time.Minute)), l.peer()
		l.callPeer(alice, p, allow, timerHeader, se1800)
		l.at(301 * time.Second)
		l.wantSent(aliceAddr, sip.UPDATE, 300*time.Second)
	})
}

// B-11, J-04: a call that rings for longer than its interval is not over, and a
// Session-Expires in a provisional response means nothing.
func TestTrap14LongRing(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		d, err := alice.Invite(context.Background(), peerURI)
		if err != nil {
			l.Fatal(err)
		}
		invite := p.ExpectRequest(l, sip.INVITE)
		p.Reply(invite, 183, "Session Progress", "Session-Expires: 90;refresher=uac", "Require: timer")
		answered := make(chan error, 1)
		go func() { answered <- d.WaitAnswer(context.Background(), sipgo.AnswerOptions{}) }()
		l.at(300 * time.Second)
		if n := len(l.net.Messages()); n != 2 {
			l.Errorf("%d messages while it rings, want the INVITE and the 183", n)
		}
		p.Reply(invite, 200, "OK", se1800)
		if err := <-answered; err != nil {
			l.Fatal(err)
		}
		_ = d.Ack(context.Background())
		l.at(1201 * time.Second)
		l.wantSent(aliceAddr, sip.INVITE, 0, 1200*time.Second)
	})
}

// C-05: Session-Expires without a refresher is a timer, and ours to refresh.
func TestTrap15NoRefresherParameter(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		l.callPeer(alice, p, allow, "Session-Expires: 1800")
		l.at(901 * time.Second)
		l.wantSent(aliceAddr, sip.UPDATE, 900*time.Second)
	})
}

// each of the header fields is there once, and only where it
// belongs.
func TestTrap18Placement(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, bob := l.alice(middleware.WithMinSE(100*time.Second)), l.bob(middleware.WithMinSE(2000*time.Second), middleware.WithSessionExpires(2000*time.Second))
		bob.Accept = func(d *sipgo.DialogServerSession) {
			_ = d.Respond(183, "Session Progress", []byte(bob.SDP))
			_ = d.RespondSDP([]byte(bob.SDP))
		}
		d := alice.Call(bob)
		for range 3 {
			time.Sleep(1500 * time.Second)
			if _, err := alice.Send(d, bobAddr, sip.INFO, ""); err != nil {
				l.Errorf("INFO: %v", err)
			}
			if _, err := alice.Send(d, bobAddr, sip.INVITE, hold); err != nil {
				l.Errorf("hold: %v", err)
			}
		}
		_ = d.Bye(context.Background())
		synctest.Wait()
		for _, m := range l.net.Messages() {
			res, isRes := m.SIP.(*sip.Response)
			method := m.SIP.CSeq().MethodName
			session := (method == sip.INVITE || method == sip.UPDATE) && sipnet.Label(m.SIP) != "ACK"
			may := map[string]bool{
				"Session-Expires": session && (!isRes || res.IsSuccess()),
				"Min-SE":          session && (!isRes || res.StatusCode == 422),
			}
			for name, allowed := range may {
				if n := len(m.SIP.GetHeaders(name)); n > 1 || n == 1 && !allowed {
					l.Errorf("%v %s has %d %s", m.At, sipnet.Label(m.SIP), n, name)
				}
			}
			for _, name := range []string{"Supported", "Require", "Allow"} {
				if n := len(m.SIP.GetHeaders(name)); n > 1 {
					l.Errorf("%v %s has %d %s, want one", m.At, sipnet.Label(m.SIP), n, name)
				}
			}
		}
	})
}

// compact names, blanks, lists and several lines are read.
func TestTrap19Readable(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		_, res := l.peerCalls(p, bob, "x: 1700 ; foo=\"a;refresher=uac\" ; Refresher = UAS", "k: replaces", "Supported: 100rel ,TIMER", "Allow: INVITE,  UPDATE")
		if got := field(res, "Session-Expires"); got != "1700;refresher=uas" {
			l.Errorf("the 200 says %q, want 1700;refresher=uas", got)
		}
		l.at(851 * time.Second)
		l.wantSent(bobAddr, sip.UPDATE, 850*time.Second)
	})
}

// A BYE does not wait for the refresh under way.
func TestTrap20ByeDoesNotWait(t *testing.T) {
	for _, r := range refreshes {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			d := l.callPeer(alice, p, r.allow, timerHeader, se1800)
			l.at(901 * time.Second)
			go func() { _ = d.Bye(context.Background()) }()
			synctest.Wait()
			l.wantSent(aliceAddr, sip.BYE, 901*time.Second)
			l.at(1000 * time.Second)
		})
	}
}

// A call of many re-INVITEs and UPDATEs holds no more than it did at first.
func TestTrap21NothingGrows(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, bob := l.alice(), l.bob()
		d := alice.Call(bob)
		for i := range 200 {
			method := []sip.RequestMethod{sip.INVITE, sip.UPDATE}[i%2]
			if res, err := alice.Send(d, bobAddr, method, alice.SDP); err != nil || !res.IsSuccess() {
				l.Fatalf("%s %d: %v %v", method, i, res, err)
			}
			time.Sleep(time.Minute)
		}
		for _, u := range l.uas {
			if n := u.Timers.Remembered(); n > 20 {
				l.Errorf("%s remembers %d requests of one call, want a few", u.Name, n)
			}
		}
	})
}

// E-22: an application that sends its 2xx again, the same or built anew, sends
// the same header fields once each.
func TestTrap25SentAgain(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
			build := func() *sip.Response {
				res := sip.NewSDPResponseFromRequest(req, []byte(sipua.SDP("bob", "2")))
				res.AppendHeader(&sip.ContactHeader{Address: bobURI})
				return res
			}
			res := build()
			_ = tx.Respond(res)
			_ = tx.Respond(res)
			_ = tx.Respond(build())
		}
		l.peerCalls(p, bob, timerHeader, se1800)
		from := len(l.net.Messages())
		p.Request(sip.INVITE, timerHeader, se1800, sdp2)
		p.Ack(wantStatus(l, p, "the re-INVITE", 200))
		synctest.Wait()
		var first string
		for _, m := range l.net.Messages()[from:] {
			if !strings.HasPrefix(sipnet.Label(m.SIP), "200") {
				continue
			}
			got := field(m.SIP, "Session-Expires") + field(m.SIP, "Require") + field(m.SIP, "Supported") + field(m.SIP, "Allow")
			if first == "" {
				first = got
			}
			if got != first || len(m.SIP.GetHeaders("Session-Expires")) != 1 || len(m.SIP.GetHeaders("Supported")) != 1 {
				l.Errorf("a 200 sent again says %q, want %q once each", got, first)
			}
		}
		if n := l.count(bobAddr, "200 OK (INVITE)"); n != 1+3 {
			l.Errorf("%d 200s to the re-INVITE, want three", n-1)
		}
	})
}

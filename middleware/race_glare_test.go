package middleware_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// E-32, E-33: a second UPDATE with an offer before the first is answered.
func TestGlareUpdates(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := peersCall(l)
		bob.Server.OnUpdate(slowly(bob))
		p.Request(sip.UPDATE, timerHeader, se1800, sdp2)
		synctest.Wait()
		p.Request(sip.UPDATE, timerHeader, se1800, sdp2)
		wantRetryAfter(l, "E-32", wantStatus(l, p, "the second UPDATE", 500))
		p.Request(sip.UPDATE, timerHeader, se1800)
		wantRetryAfter(l, "E-32", wantStatus(l, p, "an UPDATE without an offer", 500))
		wantStatus(l, p, "the first UPDATE", 200)
	})
}

// E-35: a second re-INVITE before the first is answered.
func TestGlareReInvites(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := peersCall(l)
		bob.Server.OnInvite(slowly(bob))
		p.Request(sip.INVITE, timerHeader, se1800, sdp2)
		synctest.Wait()
		p.Request(sip.INVITE, timerHeader, se1800, sdp2)
		res := wantStatus(l, p, "the second re-INVITE", 500)
		wantRetryAfter(l, "E-35", res)
		p.Ack(res)
		p.Ack(wantStatus(l, p, "the first re-INVITE", 200))
		synctest.Wait()
	})
}

// E-33, E-34, E-35, J-09: the peer's offers cross one of ours, a refresh or the
// application's.
func TestGlareWithOurs(t *testing.T) {
	for _, c := range []struct {
		who    string
		method sip.RequestMethod
		own    bool // UPDATE handler
	}{
		{who: "our refresh", method: sip.INVITE},
		{who: "our refresh, own UPDATE handler", method: sip.INVITE, own: true},
		{who: "the application", method: sip.INVITE},
		{who: "the application", method: sip.UPDATE, own: true},
	} {
		t.Run(c.who+" "+string(c.method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithAnswerUpdate(false)), l.peer()
				d := l.callPeer(alice, p, "Allow: INVITE", timerHeader, se1800)
				if c.own {
					alice.Server.OnUpdate(slowly(alice))
				}
				l.at(800 * time.Second)
				if c.who == "the application" {
					go func() {
						req := sip.NewRequest(c.method, peerURI)
						req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
						req.SetBody([]byte(alice.SDP))
						res, err := d.Do(context.Background(), req)
						if err != nil || !res.IsSuccess() {
							l.Errorf("%s of the application: %v %v", c.method, res, err)
						} else if c.method == sip.INVITE {
							_ = d.Ack(context.Background())
						}
					}()
				} else {
					l.at(899 * time.Second)
				}
				ours := p.ExpectRequest(l, c.method)
				p.Reply(ours, 100, "Trying")
				p.Request(sip.INVITE, timerHeader, se1800, sdp2)
				p.Ack(wantStatus(l, p, "E-35: the peer's re-INVITE", 491))
				p.Request(sip.UPDATE, timerHeader, se1800, sdp2)
				wantStatus(l, p, "E-33: the peer's UPDATE with an offer", 491)
				p.Request(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uas")
				wantStatus(l, p, "E-34: the peer's UPDATE without one", 200)
				p.Reply(ours, 200, "OK", se1800)
				if c.method == sip.INVITE {
					p.ExpectRequest(l, sip.ACK)
				}
				synctest.Wait()
				l.wantAlive("alice", d)
			})
		})
	}
}

// F-09, J-09: both sides refresh by re-INVITE at once; each gets 491 and the call goes on,
// refreshed by one of them.
func TestGlareRefreshReInvites(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		d := l.callPeer(alice, p, "Allow: INVITE", timerHeader, se1800)
		l.at(900 * time.Second)
		ours := p.ExpectRequest(l, sip.INVITE)
		p.Request(sip.INVITE, timerHeader, se1800)
		p.Ack(wantStatus(l, p, "the peer's re-INVITE", 491))
		p.Reply(ours, 491, "Request Pending")
		p.ExpectRequest(l, sip.ACK)
		again := p.ExpectRequest(l, sip.INVITE)
		if got := l.net.Elapsed() - 900*time.Second; got < 2100*time.Millisecond || got > 4*time.Second {
			l.Errorf("the owner of the Call-ID tried again after %v, want 2.1 to 4 s", got)
		}
		if string(again.Body()) != alice.SDP {
			l.Errorf("the second try offers %q, want alice's SDP unchanged", again.Body())
		}
		p.Reply(again, 200, "OK", se1800)
		p.ExpectRequest(l, sip.ACK)
		synctest.Wait()
		l.wantAlive("alice", d)
		l.at(1800 * time.Second)
		if n := len(l.sent(aliceAddr, sip.INVITE)); n != 3 {
			l.Errorf("alice sent %d INVITEs by 1800 s, want the call, and two tries of one refresh", n)
		}
	})
}

// E-34: UPDATEs without a body that cross are both accepted and leave one
// refresher.
func TestGlareBodilessUpdatesCross(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		l.callPeer(alice, p, allow, timerHeader, se1800)
		l.at(900 * time.Second)
		ours := p.ExpectRequest(l, sip.UPDATE)
		p.Request(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uas")
		res := wantStatus(l, p, "the peer's UPDATE", 200)
		if got := field(res, "Session-Expires"); got != "1800;refresher=uas" {
			l.Errorf("the 200 says %q, want alice as refresher still", got)
		}
		p.Reply(ours, 200, "OK", se1800)
		synctest.Wait()
		l.at(1799 * time.Second)
		l.wantSent(aliceAddr, sip.UPDATE, 900*time.Second)
		l.at(1801 * time.Second)
		l.wantSent(aliceAddr, sip.UPDATE, 900*time.Second, 1800*time.Second)
	})
}

// D-20, J-05: an UPDATE in the early dialog is answered and settles nothing; the
// INVITE's 2xx does.
func TestGlareEarlyUpdate(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		bob.Accept = func(d *sipgo.DialogServerSession) {
			_ = d.Respond(180, "Ringing", nil)
			time.Sleep(200 * time.Second)
			_ = d.RespondSDP([]byte(bob.SDP))
		}
		p.Invite(bobAddr, timerHeader, allow, "Session-Expires: 1800;refresher=uac")
		p.ExpectResponse(l, 180)
		p.Request(sip.UPDATE, timerHeader, "Session-Expires: 90;refresher=uac")
		res := wantStatus(l, p, "the early UPDATE", 200)
		if field(res, "Contact") == "" {
			l.Error("the 200 to the early UPDATE has no Contact")
		}
		if got := field(res, "Session-Expires") + field(res, "Require"); got != "" {
			l.Errorf("J-05: the 200 to the early UPDATE carries %q, want no timer", got)
		}
		p.Request(sip.UPDATE, timerHeader, sdp2)
		wantStatus(l, p, "the early UPDATE with an offer", 488)
		l.at(200 * time.Second)
		l.wantSent(bobAddr, sip.BYE)
		ok := p.ExpectResponse(l, 200)
		if got := field(ok, "Session-Expires"); got != "1800;refresher=uac" {
			l.Errorf("the INVITE's 200 says Session-Expires %q, want 1800;refresher=uac", got)
		}
		p.Ack(ok)
		l.at(2000 * time.Second)
		l.wantSent(bobAddr, sip.BYE, 1968*time.Second)
	})
}

// E-32, RFC 3261 §14.2: a request is refused while another one has no final response. Once
// the peer has that, it may send the next.
func TestRequestsBackToBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		method sip.RequestMethod
		body   string
		status int
	}{
		{"UPDATE", sip.UPDATE, "", 200},
		{"UPDATE that is refused", sip.UPDATE, sdp2, 488},
		{"re-INVITE", sip.INVITE, "", 200},
		{"re-INVITE that is refused", sip.INVITE, sdp2, 488},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := peersCall(l)
				bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
					_ = tx.Respond(sip.NewResponseFromRequest(req, 488, "Not Acceptable Here", nil))
				}
				for range 1000 {
					p.Request(c.method, timerHeader, se1800, c.body)
					if res := wantStatus(l, p, c.name, c.status); c.method == sip.INVITE {
						p.Ack(res)
					}
				}
			})
		})
	}
}

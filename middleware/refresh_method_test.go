package middleware_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const ours = "Session-Expires: 1800;refresher=uac" // in a 2xx to us

// D-11: UPDATE if the peer's Allow lists it, else re-INVITE; WithMethod overrides.
func TestRefreshMethod(t *testing.T) {
	for _, c := range []struct {
		name   string
		method sessiontimer.Method
		allow  string
		want   sip.RequestMethod
	}{
		{"Allow lists UPDATE", sessiontimer.MethodAuto, "Allow: INVITE, ACK, BYE, UPDATE", sip.UPDATE},
		{"Allow lists UPDATE in a second field", sessiontimer.MethodAuto, "Allow: INVITE, ACK\r\nAllow: BYE,UPDATE", sip.UPDATE},
		{"Allow without UPDATE", sessiontimer.MethodAuto, "Allow: INVITE, ACK, BYE", sip.INVITE},
		{"Allow with update, another method", sessiontimer.MethodAuto, "Allow: INVITE, ACK, BYE, update", sip.INVITE},
		{"no Allow", sessiontimer.MethodAuto, "X-Allow: UPDATE", sip.INVITE},
		{"no Allow, MethodUpdate", sessiontimer.MethodUpdate, "X-Allow: UPDATE", sip.UPDATE},
		{"Allow lists UPDATE, MethodReInvite", sessiontimer.MethodReInvite, "Allow: UPDATE", sip.INVITE},
	} {
		t.Run("D-11 "+c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithMethod(c.method)), l.peer()
				l.callPeer(alice, p, ours, c.allow)
				l.at(900 * time.Second)
				l.refreshed(p, c.want)
			})
		})
	}
}

// refreshed accepts the next refresh at the peer, which must be of the method.
func (l *lab) refreshed(p *sipnet.Peer, method sip.RequestMethod) *sip.Request {
	l.Helper()
	req := p.ExpectRequest(l, method)
	p.Reply(req, 200, "OK", ours)
	if method == sip.INVITE {
		ack := p.ExpectRequest(l, sip.ACK)
		if ack.CSeq().SeqNo != req.CSeq().SeqNo {
			l.Errorf("D-24: the ACK has CSeq %d, should have the re-INVITE's %d", ack.CSeq().SeqNo, req.CSeq().SeqNo)
		}
	}
	synctest.Wait()
	return req
}

// C-24: the latest Allow of the dialog counts.
func TestAllowLearntLater(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		l.callPeer(alice, p, ours, "Allow: INVITE, ACK, BYE")
		l.at(900 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", ours, "Allow: INVITE, ACK, BYE, UPDATE")
		p.ExpectRequest(l, sip.ACK)
		l.at(1800 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", ours, "Allow: INVITE, ACK, BYE")
		l.at(2700 * time.Second)
		l.refreshed(p, sip.INVITE)
	})
}

// F-12, I-12: 405 or 501 to an UPDATE leads to a re-INVITE at once, and no UPDATE
// is sent again in this dialog.
func TestUpdateWithdrawn(t *testing.T) {
	for status, reason := range map[int]string{405: "Method Not Allowed", 501: "Not Implemented"} {
		t.Run("I-12 "+reason, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				l.callPeer(alice, p, ours, "Allow: INVITE, ACK, BYE, UPDATE")
				l.at(900 * time.Second)
				update := p.ExpectRequest(l, sip.UPDATE)
				p.Reply(update, status, reason)
				invite := l.refreshed(p, sip.INVITE)
				if got := invite.CSeq().SeqNo; got != update.CSeq().SeqNo+1 {
					l.Errorf("the re-INVITE has CSeq %d, should follow the UPDATE's %d", got, update.CSeq().SeqNo)
				}
				l.at(1800 * time.Second)
				l.refreshed(p, sip.INVITE)
				l.wantSent(aliceAddr, sip.INVITE, 0, 900*time.Second, 1800*time.Second)
			})
		})
	}
}

// D-13: a refresh by re-INVITE carries byte for byte what was sent last, offer or
// answer.
func TestReInviteRepeatsSDP(t *testing.T) {
	t.Run("D-13 caller, offer, then hold", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			call := l.callPeer(alice, p, ours)
			l.at(900 * time.Second)
			l.wantBody("first", l.refreshed(p, sip.INVITE), alice.SDP)

			l.at(1000 * time.Second)
			go func() { _, _ = alice.Send(call, peerAddr, sip.INVITE, hold) }()
			l.wantBody("hold", l.refreshed(p, sip.INVITE), hold)
			l.at(1900 * time.Second)
			l.wantBody("on hold", l.refreshed(p, sip.INVITE), hold)

			// A hold that is refused changes nothing.
			l.at(2000 * time.Second)
			go func() { _, _ = alice.Send(call, peerAddr, sip.INVITE, alice.SDP) }()
			p.Reply(p.ExpectRequest(l, sip.INVITE), 488, "Not Acceptable Here")
			p.ExpectRequest(l, sip.ACK)
			l.at(2800 * time.Second)
			l.wantBody("still on hold", l.refreshed(p, sip.INVITE), hold)
		})
	})
	t.Run("D-13 callee, answer, then answer to the peer's hold", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			l.peerCalls(p, bob, "Supported: timer", "Session-Expires: 1800;refresher=uas")
			l.at(900 * time.Second)
			l.wantBody("first", l.refreshed(p, sip.INVITE), bob.SDP)

			bob.SDP = strings.ReplaceAll(sipua.SDP("bob", "2"), "a=sendrecv", "a=recvonly")
			l.at(1000 * time.Second)
			p.Request(sip.INVITE, "Supported: timer", "Session-Expires: 1800;refresher=uas", hold)
			p.Ack(p.ExpectResponse(l, 200))
			l.at(1900 * time.Second)
			l.wantBody("held", l.refreshed(p, sip.INVITE), bob.SDP)
		})
	})
	t.Run("D-15 late offer: the answer is in the ACK", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			p.Invite(bob.Addr, "Supported: timer", "Session-Expires: 1800;refresher=uas", "")
			p.Ack(p.ExpectResponse(l, 200), sipnet.SDP)
			l.at(900 * time.Second)
			l.wantBody("offered in the 200", l.refreshed(p, sip.INVITE), bob.SDP)
		})
	})
}

func (l *lab) wantBody(which string, req *sip.Request, want string) {
	l.Helper()
	if diff := cmp.Diff(want, string(req.Body())); diff != "" {
		l.Errorf("D-13: %s: the re-INVITE's body differs from what was sent last (-want +got):\n%s", which, diff)
	}
	if got := field(req, "Content-Type"); got != "application/sdp" {
		l.Errorf("D-13: %s: Content-Type is %q", which, got)
	}
}

// Each 2xx to an INVITE or UPDATE, of either party, restarts the timers and may change
// interval and roles.
func TestEachSuccessRestarts(t *testing.T) {
	const allow = "Allow: INVITE, UPDATE"
	t.Run("C-10 own hold answered with 600", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			call := l.callPeer(alice, p, ours, allow)
			l.at(500 * time.Second)
			go func() { _, _ = alice.Send(call, peerAddr, sip.INVITE, hold) }()
			req := p.ExpectRequest(l, sip.INVITE)
			if got := field(req, "Session-Expires"); got != "1800;refresher=uac" {
				l.Errorf("D-06: the hold carries Session-Expires %q, should carry the timer in force", got)
			}
			p.Reply(req, 200, "OK", "Session-Expires: 600;refresher=uac")
			p.ExpectRequest(l, sip.ACK)
			l.at(800 * time.Second)
			update := p.ExpectRequest(l, sip.UPDATE)
			if got := field(update, "Session-Expires"); got != "600;refresher=uac" {
				l.Errorf("D-05: the refresh carries Session-Expires %q, should carry the interval in force", got)
			}
			p.Reply(update, 200, "OK", "Session-Expires: 600;refresher=uas", "Require: timer")
			l.at(5000 * time.Second)
			l.wantSent(aliceAddr, sip.UPDATE, 800*time.Second)
			l.wantSent(aliceAddr, sip.BYE, (800+568)*time.Second) // C-03: the peer refreshes now
		})
	})
	t.Run("C-10 own UPDATE", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			call := l.callPeer(alice, p, ours, allow)
			l.at(800 * time.Second)
			go func() { _, _ = alice.Send(call, peerAddr, sip.UPDATE, "") }()
			l.refreshed(p, sip.UPDATE)
			l.at(1700 * time.Second)
			l.refreshed(p, sip.UPDATE)
			l.wantSent(aliceAddr, sip.UPDATE, 800*time.Second, 1700*time.Second)
		})
	})
	t.Run("D-23 the peer's hold, with another interval", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			l.callPeer(alice, p, ours, allow)
			l.at(800 * time.Second)
			p.Request(sip.INVITE, "Supported: timer", "Session-Expires: 1200;refresher=uas", hold)
			res := p.ExpectResponse(l, 200)
			p.Ack(res)
			if got := field(res, "Session-Expires"); got != "1200;refresher=uas" {
				l.Errorf("E-07: the answer carries Session-Expires %q, should keep what was asked", got)
			}
			l.at(1400 * time.Second)
			l.refreshed(p, sip.UPDATE)
			l.wantSent(aliceAddr, sip.UPDATE, 1400*time.Second)
		})
	})
	t.Run("C-09 a hold answered without a timer ends it", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			call := l.callPeer(alice, p, "Session-Expires: 1800;refresher=uas", allow)
			l.at(500 * time.Second)
			go func() { _, _ = alice.Send(call, peerAddr, sip.INVITE, hold) }()
			p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK")
			p.ExpectRequest(l, sip.ACK)
			p.Quiet(l, 24*time.Hour)
			l.wantAlive("alice", call)
		})
	})
	t.Run("D-21 a refused hold changes nothing", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			call := l.callPeer(alice, p, ours, allow)
			l.at(500 * time.Second)
			go func() { _, _ = alice.Send(call, peerAddr, sip.INVITE, hold) }()
			p.Reply(p.ExpectRequest(l, sip.INVITE), 488, "Not Acceptable Here", "Session-Expires: 90;refresher=uas")
			p.ExpectRequest(l, sip.ACK)
			l.at(900 * time.Second)
			l.refreshed(p, sip.UPDATE)
		})
	})
	t.Run("C-11 a 2xx that comes again restarts nothing", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			l.callPeer(alice, p, ours, allow)
			l.at(10 * time.Second)
			p.Send(aliceAddr, string(l.net.Messages()[1].Raw))
			synctest.Wait()
			l.at(900 * time.Second)
			if again, ok := p.RecvAny(time.Second); !ok || sipnet.Label(again) != "ACK" {
				l.Errorf("Alice sends %v for the 200 that came again, should acknowledge that too", again)
			}
			l.refreshed(p, sip.UPDATE)
			l.wantSent(aliceAddr, sip.UPDATE, 900*time.Second)
		})
	})
}

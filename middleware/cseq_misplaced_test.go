package middleware_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

// E-36, E-37, H-07: what does not belong into the dialog changes nothing.
func TestIncomingMisplaced(t *testing.T) {
	for _, c := range []struct {
		name    string
		headers []string
		method  sip.RequestMethod
		want    int
	}{
		{"E-36 old CSeq", []string{"CSeq: 1 UPDATE", timerHeader, se1800}, sip.UPDATE, 500},
		{"E-36 old CSeq of a re-INVITE", []string{"CSeq: 1 INVITE", timerHeader, se1800}, sip.INVITE, 500},
		{"H-07 wrong To tag", []string{"To: <sip:bob@10.0.0.2>;tag=wrong", timerHeader, se1800}, sip.UPDATE, 481},
		{"H-07 wrong From tag", []string{"From: <sip:peer@10.0.0.9>;tag=wrong", timerHeader, se1800}, sip.UPDATE, 481},
		{"H-07 wrong Call-ID", []string{"Call-ID: wrong", timerHeader, se1800}, sip.UPDATE, 481},
		{"H-07 wrong To tag of a re-INVITE", []string{"To: <sip:bob@10.0.0.2>;tag=wrong", timerHeader, se1800}, sip.INVITE, 200},
		{"H-07 wrong From tag of a re-INVITE", []string{"From: <sip:peer@10.0.0.9>;tag=wrong", timerHeader, se1800}, sip.INVITE, 200},
		{"H-07 wrong Call-ID of a re-INVITE", []string{"Call-ID: wrong", timerHeader, se1800}, sip.INVITE, 200},
		{"E-13 too small", []string{timerHeader, "Session-Expires: 60"}, sip.UPDATE, 422},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.badPeer = true
				bob, p := peersCall(l)
				p.Request(sip.UPDATE, timerHeader, se1800) // CSeq 2
				wantStatus(l, p, "the first UPDATE", 200)
				l.at(900 * time.Second)
				p.Request(c.method, c.headers...)
				res := wantStatus(l, p, "the request", c.want)
				if c.method == sip.INVITE {
					p.Ack(res)
				}
				if c.want == 422 && field(res, "Min-SE") != "90" {
					l.Errorf("the 422 says Min-SE %q, want 90", field(res, "Min-SE"))
				}
				l.at(1769 * time.Second)
				l.wantSent(bobAddr, sip.BYE, 1768*time.Second)
				l.wantEnded("bob", bob.Answered())
				p.Request(sip.UPDATE, timerHeader, se1800)
				for {
					// The BYE is there and is sent again.
					msg, _ := p.Recv(time.Second)
					if res, ok := msg.(*sip.Response); ok {
						if res.StatusCode != 481 {
							l.Errorf("E-37: an UPDATE after our BYE got %s, want 481", res.StartLine())
						}
						break
					}
				}
				synctest.Wait()
			})
		})
	}
}

// E-36: what was refused has used up its number, also when nothing but the store
// knows the call any more.
func TestOldAfterRefusedLongAgo(t *testing.T) {
	for _, c := range []struct {
		name    string
		method  sip.RequestMethod
		headers []string
		status  int
	}{
		{"too small", sip.UPDATE, []string{timerHeader, "Session-Expires: 60"}, 422},
		{"too small, INVITE", sip.INVITE, []string{timerHeader, "Session-Expires: 60"}, 422},
		{"an extension that nobody knows", sip.UPDATE, []string{timerHeader, se1800, "Require: foo"}, 420},
		{"the same, INVITE", sip.INVITE, []string{timerHeader, se1800, "Require: foo", ""}, 420},
		{"an offer that nobody takes", sip.UPDATE, []string{timerHeader, se1800, sdp2}, 488},
		{"by the application", sip.INVITE, []string{timerHeader, se1800, sdp2}, 486},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.badPeer = true
				bob, p := peersCall(l)
				bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
					_ = tx.Respond(sip.NewResponseFromRequest(req, 486, "Busy Here", nil))
				}
				p.Request(c.method, append([]string{"CSeq: 50 " + string(c.method)}, c.headers...)...)
				if res := wantStatus(l, p, "the request", c.status); c.method == sip.INVITE {
					p.Ack(res)
				}
				l.at(120 * time.Second)
				if legs, _, _ := bob.Timers.Left(); legs != 0 {
					l.Fatalf("%d legs of an idle call, should be none", legs)
				}
				p.Request(sip.UPDATE, "CSeq: 40 UPDATE", timerHeader, se1800)
				wantStatus(l, p, "an UPDATE older than the one refused", 500)
				p.Request(sip.UPDATE, "CSeq: 51 UPDATE", timerHeader, se1800)
				wantStatus(l, p, "the next UPDATE", 200)
			})
		})
	}
}

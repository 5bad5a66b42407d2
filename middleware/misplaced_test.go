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

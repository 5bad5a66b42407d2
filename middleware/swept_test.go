package middleware_test

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

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

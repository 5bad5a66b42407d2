package middleware_test

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// The 2xx to a refresh may have been lost for as long as its transaction lasts, and
// the peer counts from the first: the next refresh is as much earlier, by either method.
func TestLateRefreshAnswer(t *testing.T) {
	for _, c := range []struct {
		name   string
		method sessiontimer.Method
		sent   sip.RequestMethod
	}{{"UPDATE", sessiontimer.MethodUpdate, sip.UPDATE}, {"re-INVITE", sessiontimer.MethodReInvite, sip.INVITE}} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithMethod(c.method)), l.peer()
				l.callPeer(alice, p, timerHeader, allow, "Session-Expires: 90;refresher=uac")
				l.at(40 * time.Second)
				req := p.ExpectRequest(l, c.sent)
				sent := l.net.Elapsed()
				p.Reply(req, 100, "Trying")
				l.at(sent + 11*time.Second)
				res := p.Reply(req, 200, "OK", "Session-Expires: 90;refresher=uac")
				if res.IsSuccess() && c.sent == sip.INVITE {
					p.ExpectRequest(l, sip.ACK)
				}
				l.wantNext(p, c.sent, sent+45*time.Second)
			})
		})
	}
}

package middleware_test

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A peer that begins to answer a re-INVITE and whose 2xx is lost has not refreshed: half
// of what is left until the last chance is kept for another attempt, by UPDATE where that
// is allowed.
func TestStuckReInvite(t *testing.T) {
	for _, c := range []struct {
		name, allow string
		next        sip.RequestMethod
	}{
		{"another re-INVITE", "Allow: INVITE", sip.INVITE},
		{"an UPDATE", allow, sip.UPDATE},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithMethod(sessiontimer.MethodReInvite)), l.peer()
				d := l.callPeer(alice, p, c.allow, timerHeader, se1800)
				l.at(900 * time.Second)
				first := p.ExpectRequest(l, sip.INVITE)
				p.Reply(first, 100, "Trying")
				l.at(1331 * time.Second)
				if msg, ok := p.Recv(0); ok {
					l.Errorf("%s by 1331 s, want no second attempt yet", msg.(*sip.Request).Method)
				}
				l.at(1338 * time.Second)
				again := p.ExpectRequest(l, c.next)
				p.Reply(again, 200, "OK", timerHeader, se1800)
				l.at(2000 * time.Second)
				l.wantSent(aliceAddr, sip.BYE)
				l.wantAlive("alice", d)
			})
		})
	}
}

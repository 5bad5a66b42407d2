package middleware_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// D-13, D-15, RFC 5763 §5, RFC 8842 §5.2, §5.3: the party that answered has chosen a DTLS
// role. In an offer, in our refresh or in the 200 to a re-INVITE without one, the
// description leaves the choice to the peer again. In an answer it always has a role.
func TestDTLSRole(t *testing.T) {
	const fingerprint = "a=fingerprint:sha-256 AA:BB\r\na=setup:"
	role := func(m sip.Message) string {
		_, rest, _ := strings.Cut(string(m.Body()), "a=setup:")
		role, _, _ := strings.Cut(rest, "\r\n")
		return role
	}
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithMethod(sessiontimer.MethodReInvite)), l.peer()
		bob.SDP += fingerprint + "active\r\n"
		theirs := sipnet.SDP + fingerprint + "actpass\r\n"
		_, ok := l.peerCalls(p, bob, timerHeader, "Session-Expires: 1800;refresher=uas", theirs)
		if got := role(ok); got != "active" {
			l.Fatalf("bob answers with the role %q", got)
		}
		var sent string
		for i := range 3 {
			l.at(time.Duration(i+1) * 900 * time.Second)
			req := p.ExpectRequest(l, sip.INVITE)
			if got := role(req); got != "actpass" {
				l.Errorf("refresh %d offers the role %q, want actpass", i+1, got)
			}
			if i > 0 && string(req.Body()) != sent {
				l.Errorf("refresh %d offers\n%s\nafter\n%s", i+1, req.Body(), sent)
			}
			sent = string(req.Body())
			p.Reply(req, 200, "OK", "Require: timer", "Session-Expires: 1800;refresher=uac", sipnet.SDP+fingerprint+"passive\r\n")
			p.ExpectRequest(l, sip.ACK)
		}
		synctest.Wait() // until that refresh is over
		if !strings.Contains(sent, "o=bob 1 2 ") {
			l.Errorf("a description that changed keeps its version:\n%s", sent)
		}
		for body, want := range map[string]string{"": "actpass", sipnet.SDP + fingerprint + "passive\r\n": "active"} {
			p.Request(sip.INVITE, timerHeader, "Session-Expires: 1800;refresher=uas", body)
			res := wantStatus(l, p, "a re-INVITE", 200)
			if got := role(res); got != want {
				l.Errorf("a re-INVITE with the role %q gets %q, want %q", strings.TrimSpace(body[strings.LastIndex(body, ":")+1:]), got, want)
			}
			p.Ack(res)
		}
	})
}

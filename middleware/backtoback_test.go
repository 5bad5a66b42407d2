package middleware_test

import (
	"testing"

	"github.com/emiago/sipgo/sip"
)

// E-32, RFC 3261 §14.2: a request is refused while another one has no final
// response. Whoever has got that may send the next.
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

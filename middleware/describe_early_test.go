package middleware_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

// D-13, D-30: the same at the callee: its refresh offers what was agreed before it
// answered, in reliable 18x, PRACK and UPDATE, and that also answers the caller's refresh.
func TestAgreedBeforeWeAnswer(t *testing.T) {
	const rack = "RAck: 1 1 INVITE"
	first, second := sipua.SDP("bob", "1"), sipua.SDP("bob", "2")
	rings := func(body string, more ...sip.Header) func(*sipgo.DialogServerSession) {
		return func(d *sipgo.DialogServerSession) {
			headers := append(more, sip.NewHeader("Content-Type", "application/sdp"))
			_ = d.Respond(183, "Session Progress", []byte(body), headers...)
		}
	}
	reliably := []sip.Header{sip.NewHeader("Require", "100rel"), sip.NewHeader("RSeq", "1")}
	answers := func(status int, body string) sipgo.RequestHandler {
		return func(req *sip.Request, tx sip.ServerTransaction) {
			if status != 200 && len(req.Body()) > 0 {
				_ = tx.Respond(sip.NewResponseFromRequest(req, status, "No", nil))
				return
			}
			if body == "" || len(req.Body()) == 0 {
				_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
				return
			}
			respondSDP(req, tx, body)
		}
	}
	for _, c := range []struct {
		name           string
		offer          string // of the INVITE
		ring           func(*sipgo.DialogServerSession)
		prack, update  sipgo.RequestHandler
		then           func(l *lab, p *sipnet.Peer)
		last           string // in the 200
		ours, theirs   string
		cannotReinvite bool
	}{
		{name: "an answer in a 183, none in the 200", offer: sipnet.SDP, ring: rings(first), then: func(*lab, *sipnet.Peer) {}, ours: first, theirs: sipnet.SDP},
		{name: "the 200 decides", offer: sipnet.SDP, ring: rings(first), then: func(*lab, *sipnet.Peer) {}, last: second, ours: second, theirs: sipnet.SDP},
		{name: "unless the 183 was reliable", offer: sipnet.SDP, ring: rings(first, reliably...), then: func(*lab, *sipnet.Peer) {}, last: second, ours: first, theirs: sipnet.SDP},
		{name: "an offer in a reliable 183, the answer in the PRACK", ring: rings(first, reliably...), prack: answers(200, ""),
			then: func(l *lab, p *sipnet.Peer) {
				p.Request(sip.PRACK, rack, sipnet.SDP)
				wantStatus(l, p, "PRACK", 200)
			}, ours: first, theirs: sipnet.SDP},
		{name: "an offer in the PRACK", offer: sipnet.SDP, ring: rings(first, reliably...), prack: answers(200, second),
			then: func(l *lab, p *sipnet.Peer) {
				p.Request(sip.PRACK, rack, sdp2)
				wantStatus(l, p, "PRACK", 200)
			}, ours: second, theirs: sdp2},
		{name: "an offer in the PRACK that is refused", offer: sipnet.SDP, ring: rings(first, reliably...), prack: answers(488, ""),
			then: func(l *lab, p *sipnet.Peer) {
				p.Request(sip.PRACK, rack, sdp2)
				wantStatus(l, p, "PRACK", 488)
			}, ours: first, theirs: sipnet.SDP},
		{name: "an offer in the PRACK without an answer", offer: sipnet.SDP, ring: rings(first, reliably...), prack: answers(200, ""),
			then: func(l *lab, p *sipnet.Peer) {
				p.Request(sip.PRACK, rack, sdp2)
				wantStatus(l, p, "PRACK", 200)
			}, ours: first, theirs: sipnet.SDP},
		{name: "an UPDATE", offer: sipnet.SDP, ring: rings(first, reliably...), update: answers(200, second),
			then: func(l *lab, p *sipnet.Peer) {
				p.Request(sip.UPDATE, sdp2)
				wantStatus(l, p, "UPDATE", 200)
			}, ours: second, theirs: sdp2},
		{name: "an UPDATE that is refused", offer: sipnet.SDP, ring: rings(first, reliably...), update: answers(500, ""),
			then: func(l *lab, p *sipnet.Peer) {
				p.Request(sip.UPDATE, sdp2)
				wantStatus(l, p, "UPDATE", 500)
			}, ours: first, theirs: sipnet.SDP},
		{name: "a late offer that is never answered", ring: func(*sipgo.DialogServerSession) {}, then: func(*lab, *sipnet.Peer) {}, last: first, cannotReinvite: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(), l.peer()
				accept := make(chan struct{})
				bob.Accept = func(d *sipgo.DialogServerSession) {
					c.ring(d)
					<-accept
					if c.last == "" {
						_ = d.Respond(200, "OK", nil)
						return
					}
					_ = d.RespondSDP([]byte(c.last))
				}
				if c.prack != nil {
					bob.Server.OnPrack(c.prack)
				}
				if c.update != nil {
					bob.Server.OnUpdate(c.update)
				}
				p.Invite(bob.Addr, timerHeader, allow, weRefresh, c.offer)
				synctest.Wait()
				for { // what rang
					if _, ok := p.Recv(time.Millisecond); !ok {
						break
					}
				}
				c.then(l, p)
				close(accept)
				p.Ack(wantStatus(l, p, "the call", 200))
				synctest.Wait()
				if d := stored(bob)[0]; string(d.SDP) != c.ours || string(d.PeerSDP) != c.theirs {
					l.Errorf("agreed on\n%s\n%s\nwant\n%s\n%s", d.SDP, d.PeerSDP, c.ours, c.theirs)
				}
				p.Request(sip.UPDATE, timerHeader, "Allow: INVITE", weRefresh) // refresh by re-INVITE, if at all
				wantStatus(l, p, "UPDATE", 200)
				if l.at(900*time.Second + 5*time.Millisecond); c.cannotReinvite {
					l.refreshed(p, sip.UPDATE)
					return
				}
				if re := l.refreshed(p, sip.INVITE); string(re.Body()) != c.ours {
					l.Errorf("refresh with\n%s", re.Body())
				}
			})
		})
	}
}

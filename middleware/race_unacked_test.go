package middleware_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// strictAboutAcks makes bob an application that accepts an offer only after it has handled
// the previous ACK, which takes it 100 ms.
func strictAboutAcks(bob *sipua.UA) (acks func() []string) {
	var mu sync.Mutex
	var had []string
	var acked atomic.Bool
	bob.Server.OnAck(func(req *sip.Request, _ sip.ServerTransaction) {
		time.Sleep(100 * time.Millisecond)
		_ = bob.Answered().ReadAck(req, nil)
		mu.Lock()
		had = append(had, req.CSeq().Value())
		mu.Unlock()
		acked.Store(true)
	})
	offered := func(req *sip.Request, tx sip.ServerTransaction) {
		if !acked.Load() {
			_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusRequestPending, "Request Pending", nil))
			return
		}
		if req.IsInvite() {
			acked.Store(false)
		}
		res := sip.NewSDPResponseFromRequest(req, []byte(sipua.SDP("bob", "9")))
		res.AppendHeader(&sip.ContactHeader{Address: bobURI})
		_ = tx.Respond(res)
	}
	bob.ReInvite = offered
	bob.Server.OnUpdate(offered)
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(had)
	}
}

// RFC 3261 §14.2, RFC 3311 §5.2: an offer right after an ACK arrives before the application
// has handled the ACK. It is not refused for that, and not held long if there is no ACK.
func TestOfferRightAfterAck(t *testing.T) {
	for _, c := range []struct {
		name   string
		method sip.RequestMethod
		body   string
		ack    time.Duration // after the 200; negative: none
		status int
		at     time.Duration
	}{
		{"UPDATE", sip.UPDATE, sdp2, 0, 200, 100 * time.Millisecond},
		{"re-INVITE", sip.INVITE, sdp2, 0, 200, 100 * time.Millisecond},
		{"UPDATE that overtakes the ACK", sip.UPDATE, sdp2, time.Second, 200, 1100 * time.Millisecond},
		{"re-INVITE that overtakes the ACK", sip.INVITE, sdp2, time.Second, 200, 1100 * time.Millisecond},
		{"UPDATE without ACK", sip.UPDATE, sdp2, -1, 491, 2 * time.Second},
		{"re-INVITE without ACK", sip.INVITE, sdp2, -1, 491, 2 * time.Second},
		{"UPDATE without offer", sip.UPDATE, "", -1, 200, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(middleware.WithAnswerUpdate(true)), l.peer()
				strictAboutAcks(bob)
				p.Invite(bobAddr, timerHeader, se1800)
				ok := p.ExpectResponse(l, 200)
				if c.ack == 0 {
					p.Ack(ok)
				}
				p.Request(c.method, timerHeader, se1800, c.body)
				if c.ack > 0 {
					time.Sleep(c.ack)
					p.Ack(ok)
				}
				var res *sip.Response
				for res == nil || res.IsProvisional() || res.CSeq().SeqNo != 2 {
					msg, ok := p.Recv(5 * time.Second)
					if !ok {
						l.Fatalf("no answer to the %s", c.method)
					}
					res, _ = msg.(*sip.Response)
				}
				if res.StatusCode != c.status || l.net.Elapsed() != c.at {
					l.Errorf("%d at %v, want %d at %v", res.StatusCode, l.net.Elapsed(), c.status, c.at)
				}
				if c.method == sip.INVITE {
					p.Ack(res)
				}
				p.Ack(ok)
				time.Sleep(time.Second)
			})
		})
	}
}

// RFC 3261 §14.2: the same after each re-INVITE of the call.
func TestOfferRightAfterEachAck(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		strictAboutAcks(bob)
		p.Invite(bobAddr, timerHeader, se1800)
		res := p.ExpectResponse(l, 200)
		for _, method := range []sip.RequestMethod{sip.INVITE, sip.UPDATE, sip.INVITE, sip.INVITE, sip.UPDATE} {
			if res.CSeq().MethodName == sip.INVITE {
				p.Ack(res)
			}
			p.Request(method, timerHeader, se1800, sdp2)
			res = wantStatus(l, p, "the "+string(method), 200)
		}
	})
}

// RFC 3311 §5.2 has no ACK, but an application that gets an UPDATE as a re-INVITE may wait
// for one: it gets one if it accepted the offer.
func TestAckOfOfferInUpdate(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithOfferUpdate(true)), l.peer()
		var acks []string
		status := 200
		bob.Server.OnAck(func(req *sip.Request, tx sip.ServerTransaction) {
			acks = append(acks, req.CSeq().Value()+" "+string(req.Body())+field(req, "Content-Type"))
			_ = bob.Answered().ReadAck(req, tx)
		})
		bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) {
			res := sip.NewSDPResponseFromRequest(req, []byte(sipua.SDP("bob", "9")))
			res.StatusCode = status
			_ = tx.Respond(res)
		}
		l.peerCalls(p, bob, timerHeader, se1800)
		p.Request(sip.UPDATE, timerHeader, se1800, sdp2)
		wantStatus(l, p, "the UPDATE", 200)
		status = 488
		p.Request(sip.UPDATE, timerHeader, se1800, sipnet.SDP+"a=x\r\n")
		wantStatus(l, p, "the UPDATE", 488)
		synctest.Wait()
		if len(acks) != 2 || acks[0] != "1 ACK " || acks[1] != "2 ACK " {
			l.Errorf("the application got the ACKs %q, want those of INVITE 1 and UPDATE 2", acks)
		}
	})
}

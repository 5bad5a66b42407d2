package middleware_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sdpcheck"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// D-13, D-14, D-29: two applications with timers exchange offers and answers at
// random, before the call is answered and after, and refresh in between. Both sides
// always agree on the same, and each offer of a refresh, and each answer, is what RFC
// 3264 allows for that.
func TestDescriptionsAtRandom(t *testing.T) {
	for seed := range uint64(80) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inLab(t, func(l *lab) {
				r := rand.New(rand.NewPCG(seed, 11))
				methods := []sessiontimer.Method{sessiontimer.MethodReInvite, sessiontimer.MethodUpdate}
				options := []middleware.Option{middleware.WithAnswerReInvite(true), middleware.WithOfferUpdate(true),
					middleware.WithMethod(methods[r.IntN(2)]), middleware.WithRefresher([]sessiontimer.Refresher{sessiontimer.Local, sessiontimer.Peer}[r.IntN(2)])}
				c := &talk{lab: l, draw: r.IntN, ends: [2]*sipua.UA{l.alice(options...), l.bob(options...)}}
				c.begin()
				for range 12 {
					c.step()
				}
			})
		})
	}
}

// talk is a call between two applications with random descriptions.
type talk struct {
	*lab
	draw    sdpcheck.Random
	ends    [2]*sipua.UA
	dialogs [2]sipua.Dialog
	version int
	refuse  bool // the next offer
	seen    int  // messages that were judged
}

var addrs = [2]string{aliceAddr, bobAddr}

func (c *talk) offer(who int) string {
	c.version++
	var now []byte
	if d := stored(c.ends[who]); len(d) > 0 {
		now = d[0].SDP
	}
	return string(c.draw.Offer(c.ends[who].Name, 100*c.version, now))
}

func (c *talk) answer(who int, offer []byte) string {
	c.version++
	return string(c.draw.Answer(c.ends[who].Name, 100*c.version, offer))
}

// begin makes the call, with the offer in the INVITE or in what answers it.
func (c *talk) begin() {
	for who, u := range c.ends {
		u.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) { c.take(who, req, tx) }
	}
	bob := c.ends[1]
	how := c.draw(4)
	bob.Accept = func(d *sipgo.DialogServerSession) {
		body := ""
		if offer := d.InviteRequest.Body(); len(offer) > 0 {
			body = c.answer(1, offer)
		} else {
			body = c.offer(1)
		}
		kind := sip.NewHeader("Content-Type", "application/sdp")
		switch how {
		case 0:
			_ = d.Respond(183, "Session Progress", []byte(body), kind)
		case 1:
			_ = d.Respond(183, "Session Progress", []byte(body), kind, sip.NewHeader("Require", "100rel"), sip.NewHeader("RSeq", "1"))
			time.Sleep(time.Second)
			_ = d.Respond(200, "OK", nil)
			return
		}
		_ = d.RespondSDP([]byte(body))
	}
	if alice := c.ends[0]; how == 3 {
		alice.SDP = ""
	} else {
		alice.SDP = c.offer(0)
	}
	d, err := c.ends[0].Invite(context.Background(), bobURI)
	if err == nil {
		err = d.WaitAnswer(context.Background(), sipgo.AnswerOptions{})
	}
	if err == nil {
		err = c.acknowledge(0, d, d.InviteResponse, len(d.InviteRequest.Body()) == 0)
	}
	if err != nil {
		c.Fatalf("the call fails: %v", err)
	}
	synctest.Wait()
	c.dialogs = [2]sipua.Dialog{d, bob.Answered()}
	c.judge("the call")
}

// acknowledge sends an ACK, which answers a late offer.
func (c *talk) acknowledge(who int, d sipua.Dialog, res *sip.Response, late bool) error {
	ack := sip.NewRequest(sip.ACK, res.Contact().Address)
	if late {
		ack.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		ack.SetBody([]byte(c.answer(who, res.Body())))
	}
	return d.WriteRequest(ack)
}

// take answers an offer, or makes one.
func (c *talk) take(who int, req *sip.Request, tx sip.ServerTransaction) {
	switch {
	case c.refuse:
		_ = tx.Respond(sip.NewResponseFromRequest(req, 488, "Not Acceptable Here", nil))
	case len(req.Body()) == 0:
		respondSDP(req, tx, c.offer(who))
	default:
		respondSDP(req, tx, c.answer(who, req.Body()))
	}
}

// step is one exchange, or the next refresh.
func (c *talk) step() {
	c.Helper()
	who, how := c.draw(2), []string{"INVITE", "UPDATE", "INVITE without offer", "UPDATE without offer", "refresh", "refresh"}[c.draw(6)]
	c.refuse = c.draw(4) == 0
	what := fmt.Sprintf("%s of %s at %v", how, c.ends[who].Name, c.net.Elapsed())
	to, d := addrs[1-who], c.dialogs[who]
	switch how {
	case "refresh":
		c.refresh(what)
	case "INVITE without offer":
		h, p, _ := sip.ParseAddr(to)
		res, err := d.Do(context.Background(), sip.NewRequest(sip.INVITE, sip.Uri{Scheme: "sip", Host: h, Port: p}))
		if err == nil && res.IsSuccess() {
			err = c.acknowledge(who, d, res, true)
		}
		if err != nil {
			c.Fatalf("%s: %v", what, err)
		}
	default:
		method, body, _ := strings.Cut(how, " ")
		if body == "" {
			body = c.offer(who)
		} else {
			body = ""
		}
		if _, err := c.ends[who].Send(d, to, sip.RequestMethod(method), body); err != nil {
			c.Fatalf("%s: %v", what, err)
		}
	}
	time.Sleep(time.Second)
	synctest.Wait()
	c.judge(what)
}

// refresh waits for the next one, which offers what is agreed.
func (c *talk) refresh(what string) {
	c.Helper()
	from := len(c.net.Messages())
	before := map[string][]byte{aliceAddr: stored(c.ends[0])[0].SDP, bobAddr: stored(c.ends[1])[0].SDP}
	time.Sleep(1000 * time.Second)
	synctest.Wait()
	for _, m := range c.net.Messages()[from:] {
		req, ok := m.SIP.(*sip.Request)
		if !ok || !req.IsInvite() {
			continue
		}
		if fault := sdpcheck.OfferFault(before[m.From], req.Body()); fault != "" || len(req.Body()) == 0 {
			c.Errorf("%s: %s\nagreed\n%s\noffered\n%s", what, fault, before[m.From], req.Body())
		}
	}
}

// judge checks the messages since its last call.
func (c *talk) judge(what string) {
	c.Helper()
	msgs := c.net.Messages()[c.seen:]
	for _, m := range msgs {
		req, ok := m.SIP.(*sip.Request)
		if !ok || len(req.Body()) == 0 && !req.IsInvite() {
			continue
		}
		offer := req.Body()
		for _, answer := range msgs {
			answered := answer.SIP.CSeq().SeqNo == req.CSeq().SeqNo && len(answer.SIP.Body()) > 0
			res, isRes := answer.SIP.(*sip.Response)
			switch {
			case !answered:
			case isRes && answer.From == m.To && res.CSeq().MethodName == req.Method && len(offer) == 0:
				offer = res.Body() // late, and answered in the ACK
			case isRes && answer.From == m.To && res.CSeq().MethodName == req.Method && len(req.Body()) > 0,
				!isRes && answer.From == m.From && answer.SIP.(*sip.Request).IsAck() && len(req.Body()) == 0:
				if fault := sdpcheck.AnswerFault(offer, answer.SIP.Body()); fault != "" {
					c.Errorf("%s: %s\noffered\n%s\nanswered\n%s", what, fault, offer, answer.SIP.Body())
				}
			}
		}
	}
	c.seen += len(msgs)
	a, b := stored(c.ends[0])[0], stored(c.ends[1])[0]
	if string(a.SDP) != string(b.PeerSDP) || string(a.PeerSDP) != string(b.SDP) || a.SDPOffered == b.SDPOffered {
		c.Errorf("%s: alice agreed on\n%s\n%s\nbob on\n%s\n%s", what, a.SDP, a.PeerSDP, b.PeerSDP, b.SDP)
	}
	if c.Failed() {
		c.FailNow()
	}
}

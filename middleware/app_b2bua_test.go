package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// bridge is a B2BUA on one user agent: a calls it, it calls b, and it hangs up each leg
// when the other has ended.
type bridge struct {
	*lab
	*sipua.UA
	a, b *sipnet.Peer

	mu   sync.Mutex
	legA *sipgo.DialogServerSession
	legB *sipgo.DialogClientSession
}

func (l *lab) bridge(opts ...middleware.Option) *bridge {
	br := &bridge{lab: l, UA: l.bob(opts...), a: l.peer(), b: l.net.Peer("10.0.0.8:5060")}
	br.Accept = br.connect
	br.ReInvite = br.bridgeOffer
	return br
}

// connect calls b for a.
func (br *bridge) connect(legA *sipgo.DialogServerSession) {
	_ = legA.Respond(180, "Ringing", nil)
	legB, err := br.TryURI(legA.Context(), thirdURI)
	var refused *sipgo.ErrDialogResponse
	switch {
	case errors.As(err, &refused):
		_ = legA.Respond(refused.Res.StatusCode, refused.Res.Reason, nil)
		return
	case err != nil:
		_ = legA.Respond(500, "Server Internal Error", nil)
		return
	}
	br.mu.Lock()
	br.legA, br.legB = legA, legB
	br.mu.Unlock()
	go func() {
		select {
		case <-legA.Context().Done():
			_ = legB.Bye(context.Background())
		case <-legB.Context().Done():
			_ = legA.Bye(context.Background())
		}
	}()
	_ = legA.RespondSDP(legB.InviteResponse.Body())
}

// bridgeOffer passes a changed offer from a to b, and the answer back.
func (br *bridge) bridgeOffer(req *sip.Request, tx sip.ServerTransaction) {
	res, err := br.Send(br.legB, br.b.Addr(), sip.INVITE, string(req.Body()))
	if err != nil || !res.IsSuccess() {
		_ = tx.Respond(sip.NewResponseFromRequest(req, 488, "Not Acceptable Here", nil))
		return
	}
	answer := sip.NewSDPResponseFromRequest(req, res.Body())
	answer.AppendHeader(&sip.ContactHeader{Address: bobURI})
	_ = tx.Respond(answer)
}

// begin calls b from a through the bridge; b answers with the headers. It returns the
// INVITE to b and the 200 to a.
func (br *bridge) begin(forB []string, fromA ...string) (*sip.Request, *sip.Response) {
	br.Helper()
	br.a.Invite(br.Addr, fromA...)
	invite := br.b.ExpectRequest(br, sip.INVITE)
	br.b.Reply(invite, 200, "OK", forB...)
	br.b.ExpectRequest(br, sip.ACK)
	res := br.a.ExpectResponse(br, 200)
	br.a.Ack(res)
	synctest.Wait()
	return invite, res
}

// end hangs up from a.
func (br *bridge) end(headers ...string) {
	br.Helper()
	br.a.Request(sip.BYE, headers...)
	wantStatus(br.lab, br.a, "a's BYE", 200)
	br.b.Reply(br.b.ExpectRequest(br, sip.BYE), 200, "OK")
	synctest.Wait()
	br.wantNothingLeft(br.UA)
}

// toB returns the labels of the messages to b since the nth message.
func (br *bridge) toB(n int) []string {
	var out []string
	for _, m := range br.net.Messages()[n:] {
		if m.To == br.b.Addr() {
			out = append(out, sipnet.Label(m.SIP))
		}
	}
	return out
}

// J-16: the legs negotiate independently: interval, Min-SE, refresher, numbers and
// method of one do not affect the other.
func TestBridgeLegsAreIndependent(t *testing.T) {
	inLab(t, func(l *lab) {
		br := l.bridge()
		invite, res := br.begin([]string{"Allow: INVITE", timerHeader, "Session-Expires: 600;refresher=uac"},
			"Supported: timer, 100rel, replaces", "Allow: INVITE, UPDATE, PRACK", "Session-Expires: 1800;refresher=uac", "Min-SE: 200", "CSeq: 7000 INVITE")
		if got := sipnet.Timers(invite); got != "Session-Expires: 1800" || field(invite, "Supported") != "timer" || field(invite, "Require") != "" {
			l.Errorf("J-16: the INVITE to b says %q, Supported %q, Require %q, want nothing of a's", got, field(invite, "Supported"), field(invite, "Require"))
		}
		if got := field(res, "Session-Expires") + " " + field(res, "Require"); got != "1800;refresher=uac timer" {
			l.Errorf("J-16: the 200 to a says %q, want what a asked", got)
		}
		// a refreshes every 900 s by UPDATE, b is refreshed every 300 s by re-INVITE.
		for at := 300 * time.Second; at <= 3600*time.Second; at += 300 * time.Second {
			l.at(at)
			req := br.b.ExpectRequest(l, sip.INVITE)
			if got := sipnet.Timers(req); got != "Session-Expires: 600;refresher=uac" {
				l.Errorf("J-16: b is refreshed with %q", got)
			}
			if got, want := req.CSeq().SeqNo, invite.CSeq().SeqNo+uint32(at/(300*time.Second)); got != want {
				l.Errorf("J-16: the refresh of b at %v has CSeq %d, want %d", at, got, want)
			}
			br.b.Reply(req, 200, "OK", "Session-Expires: 600;refresher=uac")
			br.b.ExpectRequest(l, sip.ACK)
			if at%(900*time.Second) == 0 {
				br.a.Request(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uac", fmt.Sprintf("CSeq: %d UPDATE", 7000+int(at.Seconds())))
				wantStatus(l, br.a, "a's UPDATE", 200)
			}
		}
		l.wantAlive("leg A", br.legA)
		l.wantAlive("leg B", br.legB)
		if a, b := br.legA.InviteRequest.CallID().Value(), br.legB.InviteRequest.CallID().Value(); a == b {
			l.Errorf("J-16: both legs have Call-ID %s", a)
		}
		br.end("CSeq: 20000 BYE")
	})
}

// J-17: a request that changes nothing is answered here and does not reach the other leg;
// an offer that changes something is bridged, and each leg keeps its own timer.
func TestBridgeAnswersRefreshes(t *testing.T) {
	inLab(t, func(l *lab) {
		br := l.bridge()
		_, res := br.begin([]string{allow, timerHeader, "Session-Expires: 600;refresher=uas"}, timerHeader, allow, se1800)
		for _, refresh := range []struct {
			method sip.RequestMethod
			body   string
		}{{sip.UPDATE, ""}, {sip.INVITE, sipnet.SDP}, {sip.INVITE, ""}, {sip.UPDATE, sipnet.SDP}} {
			before := len(l.net.Messages())
			br.a.Request(refresh.method, timerHeader, se1800, refresh.body)
			again := wantStatus(l, br.a, "a's "+string(refresh.method), 200)
			if refresh.method == sip.INVITE {
				br.a.Ack(again)
			}
			if got := field(again, "Session-Expires"); got != "1800;refresher=uac" {
				l.Errorf("J-17: a's refresh is answered with %q", got)
			}
			if len(again.Body()) > 0 && string(again.Body()) != string(res.Body()) {
				l.Errorf("J-17: a's refresh is answered with\n%s\nwant the SDP as before", again.Body())
			}
			synctest.Wait()
			if got := br.toB(before); len(got) != 0 {
				l.Errorf("J-17: a's refresh leads to %v on the other leg, want nothing", got)
			}
		}
		l.at(500 * time.Second)
		br.a.Request(sip.INVITE, timerHeader, se1800, hold)
		req := br.b.ExpectRequest(l, sip.INVITE)
		if string(req.Body()) != hold || field(req, "Session-Expires") != "600;refresher=uas" {
			l.Errorf("J-17: b is offered %q, %s, want a's offer and b's own timer", field(req, "Session-Expires"), req.Body())
		}
		br.b.Reply(req, 200, "OK", "Session-Expires: 600;refresher=uas", sdp2)
		br.b.ExpectRequest(l, sip.ACK)
		held := wantStatus(l, br.a, "a's hold", 200)
		br.a.Ack(held)
		if string(held.Body()) != sdp2 || field(held, "Session-Expires") != "1800;refresher=uac" {
			l.Errorf("J-17: a's hold is answered %q, %s, want b's answer and a's own timer", field(held, "Session-Expires"), held.Body())
		}
		synctest.Wait()
		// J-18: b falls silent; its leg ends, and the application ends the other.
		l.at((500 + 568) * time.Second)
		br.b.Reply(br.b.ExpectRequest(l, sip.BYE), 200, "OK")
		br.a.Reply(br.a.ExpectRequest(l, sip.BYE), 200, "OK")
		synctest.Wait()
		l.wantSent(br.Addr, sip.BYE, (500+568)*time.Second, (500+568)*time.Second)
		l.wantEnded("leg A", br.legA)
		l.wantEnded("leg B", br.legB)
		l.wantNothingLeft(br.UA)
	})
}

// J-18: a refresh of one leg that fails ends that leg, and through the application
// the other.
func TestBridgeRefreshFails(t *testing.T) {
	inLab(t, func(l *lab) {
		br := l.bridge()
		br.begin([]string{allow, timerHeader, "Session-Expires: 600;refresher=uas"}, timerHeader, allow, "Session-Expires: 1800;refresher=uas")
		for at := 300 * time.Second; at <= 900*time.Second; at += 300 * time.Second {
			l.at(at)
			br.b.Request(sip.UPDATE, timerHeader, "Session-Expires: 600;refresher=uac")
			wantStatus(l, br.b, "b's UPDATE", 200)
		}
		br.a.Reply(br.a.ExpectRequest(l, sip.UPDATE), 481, "Gone")
		br.a.Reply(br.a.ExpectRequest(l, sip.BYE), 481, "Gone")
		bye := br.b.ExpectRequest(l, sip.BYE)
		br.b.Reply(bye, 200, "OK")
		synctest.Wait()
		l.wantSent(br.Addr, sip.BYE, 900*time.Second, 900*time.Second)
		if got := field(bye, "Reason"); got != "" {
			l.Errorf("J-18: the application's BYE to b has Reason %q, want it as the application sends it", got)
		}
		l.wantEnded("leg A", br.legA)
		l.wantEnded("leg B", br.legB)
		l.wantNothingLeft(br.UA)
	})
}

// J-18: a 422 of b is answered on b's leg; a sees ringing and the answer.
func TestBridgeHides422(t *testing.T) {
	inLab(t, func(l *lab) {
		br := l.bridge()
		br.a.Invite(br.Addr, timerHeader, allow, se1800)
		for _, minSE := range []string{"2000", "3600"} {
			br.b.Reply(br.b.ExpectRequest(l, sip.INVITE), 422, "Session Interval Too Small", "Min-SE: "+minSE)
			br.b.ExpectRequest(l, sip.ACK)
		}
		br.b.Reply(br.b.ExpectRequest(l, sip.INVITE), 200, "OK", "Session-Expires: 3600;refresher=uas")
		br.b.ExpectRequest(l, sip.ACK)
		br.a.ExpectResponse(l, 180)
		res := br.a.ExpectResponse(l, 200)
		br.a.Ack(res)
		synctest.Wait()
		if got := field(res, "Session-Expires") + field(res, "Min-SE"); got != "1800;refresher=uac" {
			l.Errorf("J-18: the 200 to a says %q, want nothing of b's", got)
		}
		var got []string
		for _, m := range l.net.Messages() {
			if m.To == br.a.Addr() {
				got = append(got, sipnet.Label(m.SIP))
			}
		}
		if diff := cmp.Diff([]string{"180 Ringing (INVITE)", "200 OK (INVITE)"}, got); diff != "" {
			l.Errorf("J-18: a sees (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"Session-Expires: 1800", "Session-Expires: 2000, Min-SE: 2000", "Session-Expires: 3600, Min-SE: 3600"},
			l.tries(br.Addr)); diff != "" {
			l.Errorf("J-18: the INVITEs to b (-want +got):\n%s", diff)
		}
		br.end()
	})
}

// J-16: a policy for each trunk: b is refreshed by us every 300 s with re-INVITEs
// and has a Min-SE, a has the defaults; or one of them has no timer at all.
func TestBridgePolicyByTrunk(t *testing.T) {
	byTrunk := func(off string) middleware.Option {
		return middleware.WithPolicyFunc(func(invite *sip.Request, outgoing bool, base sessiontimer.Policy) sessiontimer.Policy {
			trunk := map[bool]string{true: invite.Recipient.Host, false: invite.From().Address.Host}[outgoing]
			switch {
			case trunk == off:
				base.Mode = sessiontimer.Off
			case trunk == "10.0.0.8" && outgoing:
				base.SessionExpires, base.MinSE = 600*time.Second, 300*time.Second
				base.Method, base.Refresher = sessiontimer.MethodReInvite, sessiontimer.Local
			}
			return base
		})
	}
	t.Run("J-16 both", func(t *testing.T) {
		inLab(t, func(l *lab) {
			br := l.bridge(byTrunk(""))
			invite, res := br.begin([]string{allow, timerHeader, "Session-Expires: 600;refresher=uac"}, timerHeader, allow, "Session-Expires: 100")
			if got := sipnet.Timers(invite); got != "Session-Expires: 600;refresher=uac, Min-SE: 300" {
				l.Errorf("the INVITE to b says %q", got)
			}
			if got := field(res, "Session-Expires"); got != "100;refresher=uac" {
				l.Errorf("the 200 to a says %q", got)
			}
			l.at(68 * time.Second)
			br.a.Reply(br.a.ExpectRequest(l, sip.BYE), 200, "OK")
			br.b.Reply(br.b.ExpectRequest(l, sip.BYE), 200, "OK")
			synctest.Wait()
		})
	})
	for _, off := range []string{"10.0.0.8", "10.0.0.9"} {
		t.Run("J-16 J-19 off for "+off, func(t *testing.T) {
			inLab(t, func(l *lab) {
				br := l.bridge(byTrunk(off))
				invite, res := br.begin([]string{allow, "Session-Expires: 600;refresher=uac"}, timerHeader, allow, "Session-Expires: 1800;refresher=uas")
				quiet, busy, method, half := br.b, br.a, sip.UPDATE, 900*time.Second
				if off == "10.0.0.9" {
					quiet, busy, method, half = br.a, br.b, sip.INVITE, 300*time.Second
				}
				told := map[bool]sip.Message{true: invite, false: res}[off == "10.0.0.8"]
				if got := sipnet.Timers(told) + field(told, "Supported") + field(told, "Require"); got != "" {
					l.Errorf("a trunk without timers is told %q, want nothing of them", got)
				}
				for i := range 10 {
					l.at(time.Duration(i+1) * half)
					busy.Reply(busy.ExpectRequest(l, method), 200, "OK", fmt.Sprintf("Session-Expires: %d;refresher=uac", int(2*half.Seconds())))
					if method == sip.INVITE {
						busy.ExpectRequest(l, sip.ACK)
					}
					quiet.Quiet(l, half/2)
				}
				br.end()
			})
		})
	}
}

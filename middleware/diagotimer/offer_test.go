package diagotimer_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// TestUpdateRefused: an offer in an UPDATE that diago cannot accept gets 488, and
// nothing changes: neither audio nor timer (E-29, E-31).
func TestUpdateRefused_E29_E31(t *testing.T) {
	peerRefreshes(t, func(t *testing.T, s *scripted) {
		before := s.call.Media().MediaSession().Raddr.Port
		time.Sleep(100 * time.Second)
		alaw := strings.ReplaceAll(offer(5, 4888, "sendrecv"), "AVP 0", "AVP 8")
		alaw = strings.ReplaceAll(alaw, "0 PCMU", "8 PCMA")
		s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 600;refresher=uac", alaw)
		res := s.peer.ExpectResponse(t, 488)
		want(t, res, "Session-Expires", "")
		if got := s.call.Media().MediaSession().Raddr.Port; got != before {
			t.Errorf("diago sends audio to port %d after it refused an offer, want %d as before", got, before)
		}
		s.expires(t, 568*time.Second)
	})
}

// TestUpdateWithoutContact: a peer that leaves out the Contact (mandatory in an
// UPDATE, RFC 3311) is answered all the same.
func TestUpdateWithoutContact_E31(t *testing.T) {
	peerRefreshes(t, func(t *testing.T, s *scripted) {
		s.peerReInvites(t, offer(1, 4000, "sendrecv")) // diago has had an INVITE
		for _, sdp := range []string{"", offer(2, 4444, "sendrecv")} {
			s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 600;refresher=uac", "-Contact", sdp)
			want(t, s.peer.ExpectResponse(t, 200), "Session-Expires", "600;refresher=uac")
		}
		s.peerHangsUp(t)
	})
}

// TestUpdateBeforeAnyInvite: as long as no INVITE came in, diago's handler is not known
// and a changed offer in an UPDATE is refused, which changes nothing: the peer's
// re-INVITE is accepted, and from then on an UPDATE is.
func TestUpdateBeforeAnyInvite_E31(t *testing.T) {
	inRole(t, "caller", theirs("uas"), func(t *testing.T, s *scripted) {
		const timer = "Session-Expires: 600;refresher=uac"
		before := s.call.Media().MediaSession().Raddr.Port
		s.peer.Request(sip.UPDATE, "Supported: timer", timer, offer(2, 4444, "sendrecv"))
		want(t, s.peer.ExpectResponse(t, 488), "Session-Expires", "")
		if got := s.call.Media().MediaSession().Raddr.Port; got != before {
			t.Errorf("diago sends audio to port %d after the refusal, want %d as before", got, before)
		}
		s.peer.Request(sip.UPDATE, "Supported: timer", timer)
		want(t, s.peer.ExpectResponse(t, 200), "Session-Expires", "600;refresher=uac")
		s.peerReInvites(t, offer(2, 4444, "sendrecv"))
		if got := s.call.Media().MediaSession().Raddr.Port; got != 4444 {
			t.Errorf("diago sends audio to port %d, want 4444 of the re-INVITE", got)
		}
		s.peer.Request(sip.UPDATE, "Supported: timer", timer, offer(3, 4446, "sendrecv"))
		s.peer.ExpectResponse(t, 200)
		if got := s.call.Media().MediaSession().Raddr.Port; got != 4446 {
			t.Errorf("diago sends audio to port %d, want 4446 of the UPDATE", got)
		}
		s.peerHangsUp(t)
	})
}

// TestUpdateBeforeAck: an offer in an UPDATE that overtakes the ACK waits for it; if
// none comes it is to be repeated, and not refused for good (RFC 3311 §5.2).
func TestUpdateBeforeAck_E33(t *testing.T) {
	alone(t, func(t *testing.T, s *scripted) {
		s.peer.Invite(phoneAddr, "Supported: timer", peerAllow, "Session-Expires: 600;refresher=uac", offer(1, 4000, "sendrecv"))
		s.peer.ExpectResponse(t, 183)
		ok := s.peer.ExpectResponse(t, 200)
		s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 600;refresher=uac", offer(2, 4444, "sendrecv"))
		time.Sleep(2 * time.Second)
		s.peer.ExpectResponse(t, 491)
		if got := s.net.Elapsed(); got != 2*time.Second {
			t.Errorf("the UPDATE without ACK is refused after %v, want 2s", got)
		}
		s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 600;refresher=uac", offer(2, 4444, "sendrecv"))
		s.peer.Ack(ok)
		s.peer.ExpectResponse(t, 200)
		s.call = s.answered()
		if got := s.call.Media().MediaSession().Raddr.Port; got != 4444 {
			t.Errorf("diago sends audio to port %d, want 4444 of the UPDATE", got)
		}
		s.peerHangsUp(t)
	})
}

// TestOfferRightAfterAck: diago answers 491 to an offer whose handler runs before
// that of the ACK, which the peer sent before. It waits.
func TestOfferRightAfterAck(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		t.Run(string(method), func(t *testing.T) {
			alone(t, func(t *testing.T, s *scripted) {
				for range 40 {
					s.peer.Invite(phoneAddr, "Supported: timer", peerAllow, "Session-Expires: 600;refresher=uac", offer(1, 4000, "sendrecv"))
					s.peer.ExpectResponse(t, 183)
					s.peer.Ack(s.peer.ExpectResponse(t, 200))
					s.peer.Request(method, "Supported: timer", "Session-Expires: 600;refresher=uac", offer(2, 4444, "sendrecv"))
					res := s.peer.ExpectResponse(t, 200)
					if method == sip.INVITE {
						s.peer.Ack(res)
					}
					synctest.Wait()
					s.call = s.answered()
					s.peerHangsUp(t)
				}
			})
		})
	}
}

// TestAnsweredHere: with WithAnswerReInvite a re-INVITE that changes nothing does
// not reach diago, nor does its ACK; with WithOfferUpdate(false) an offer in an
// UPDATE is refused.
func TestAnsweredHere_D14(t *testing.T) {
	for role, timer := range map[string]string{"callee": theirs("uac"), "caller": theirs("uas")} {
		t.Run(role, func(t *testing.T) {
			inRole(t, role, timer, func(t *testing.T, s *scripted) {
				media := s.call.Media().MediaSession()
				sent := sentSDP(s.net, phoneAddr)
				for range 3 {
					time.Sleep(300 * time.Second)
					res := s.peerReInvites(t, offer(1, 4000, "sendrecv"))
					want(t, res, "Session-Expires", "600;refresher=uac")
					if string(res.Body()) != sent[len(sent)-1] {
						t.Errorf("a re-INVITE that changes nothing is answered with\n%s\nwant what diago sent last:\n%s", res.Body(), sent[len(sent)-1])
					}
				}
				s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 600;refresher=uac", offer(2, 4444, "sendrecv"))
				s.peer.ExpectResponse(t, 488)
				if s.call.Media().MediaSession() != media {
					t.Error("diago's media session was replaced, want it untouched")
				}
				s.peerHangsUp(t)
			}, middleware.WithAnswerReInvite(true), middleware.WithOfferUpdate(false))
		})
	}
}

// TestMediaUpdateCallback: diago tells its application of media that an UPDATE
// changed as of those that a re-INVITE changes.
func TestMediaUpdateCallback_E31(t *testing.T) {
	alone(t, func(t *testing.T, s *scripted) {
		updated := make(chan int, 5)
		s.dg.HandleFunc(func(d *diago.DialogServerSession) {
			s.take(d, diago.AnswerOptions{OnMediaUpdate: func(m *diago.DialogMedia) { updated <- m.MediaSession().Raddr.Port }})
		})
		s.isCalled(t, theirs("uac"))
		s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 600;refresher=uac", offer(2, 4444, "sendrecv"))
		s.peer.ExpectResponse(t, 200)
		if len(updated) != 1 || <-updated != 4444 {
			t.Error("diago's OnMediaUpdate was not called for the new audio port")
		}
		s.peerHangsUp(t)
	})
}

// TestB2BUA: two calls of one diago have a timer each, and neither hears of the
// other's refreshes (J-16, J-17).
func TestB2BUA_J16_J17(t *testing.T) {
	alone(t, func(t *testing.T, s *scripted) {
		s.isCalled(t, "1800;refresher=uac")
		in := s.call
		callee := s.net.Peer("10.0.0.3:5060")
		answered := s.dialTo(context.Background(), "10.0.0.3", diago.InviteClientOptions{Originator: in})
		callee.Reply(callee.ExpectRequest(t, sip.INVITE), 200, "OK", "Require: timer", "Supported: timer", peerAllow,
			"Session-Expires: 600;refresher=uac", offer(1, 5000, "sendrecv"))
		callee.ExpectRequest(t, sip.ACK)
		if err := <-answered; err != nil {
			t.Fatalf("the second leg: %v", err)
		}
		out := s.call
		for range 2 { // the 600 s leg, by diago's side
			update, _ := recvRequest(callee, 301*time.Second)
			if update == nil || update.Method != sip.UPDATE {
				t.Fatal("no UPDATE to the second leg after 300 s")
			}
			callee.Reply(update, 200, "OK", "Require: timer", "Session-Expires: 600;refresher=uac")
		}
		s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 1800;refresher=uac") // the other, by the peer
		s.peer.ExpectResponse(t, 200)
		callee.Quiet(t, 299*time.Second)
		s.net.Silence("10.0.0.3:5060")
		time.Sleep(40 * time.Second)
		if out.Context().Err() == nil {
			t.Error("the second leg lives although its peer is gone")
		}
		if in.Context().Err() != nil {
			t.Error("the first leg ended with the second; that is the application's to decide")
		}
		s.call = in
		_ = out.Close()
		s.peerHangsUp(t)
	})
}

func recvRequest(p *sipnet.Peer, wait time.Duration) (*sip.Request, bool) {
	msg, _ := p.Recv(wait)
	req, ok := msg.(*sip.Request)
	return req, ok
}

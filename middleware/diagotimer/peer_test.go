package diagotimer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// peerAllow is what a scripted peer lists, UPDATE included.
const peerAllow = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE, INFO, REFER"

// offer is a session description of the peer.
func offer(version, port int, direction string) string {
	return fmt.Sprintf("v=0\r\no=- 77 %d IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"+
		"m=audio %d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=%s\r\n", version, port, direction)
}

// scripted is a call between a phone and a peer that does what the test says.
type scripted struct {
	*phone
	call *session
	peer *sipnet.Peer
}

// isCalled has the peer call the phone.
func (s *scripted) isCalled(t *testing.T, timer string) {
	t.Helper()
	s.peer.Invite(phoneAddr, "Supported: timer", peerAllow, "Session-Expires: "+timer, offer(1, 4000, "sendrecv"))
	s.peer.ExpectResponse(t, 183)
	s.peer.Ack(s.peer.ExpectResponse(t, 200))
	synctest.Wait()
	s.call = s.answered()
}

// calls has the phone call the peer.
func (s *scripted) calls(t *testing.T, timer string) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		d, err := s.invite(context.Background(), diago.InviteClientOptions{})
		s.call = d
		done <- err
	}()
	s.peer.Reply(s.peer.ExpectRequest(t, sip.INVITE), 200, "OK", "Require: timer", "Supported: timer", peerAllow,
		"Session-Expires: "+timer, offer(1, 4000, "sendrecv"))
	s.peer.ExpectRequest(t, sip.ACK)
	if err := <-done; err != nil {
		t.Fatalf("diago's call failed: %v", err)
	}
	synctest.Wait()
}

// theirs is the Session-Expires by which the peer refreshes.
func theirs(role string) string { return "600;refresher=" + role }

// inRole runs f in a bubble with a call that diago makes, as the caller, or
// takes. timer is the Session-Expires in the peer's INVITE or 200.
func inRole(t *testing.T, role, timer string, f func(*testing.T, *scripted), opts ...middleware.Option) {
	bubble.Test(t, func(t *testing.T) {
		n := sipnet.New()
		s := &scripted{phone: newPhone(t, n, "udp", opts...), peer: n.Peer(otherAddr)}
		defer s.stop()
		if role == "caller" {
			s.calls(t, timer)
		} else {
			s.isCalled(t, timer)
		}
		f(t, s)
		sipnet.CheckCSeq(t, n.Messages())
		if t.Failed() {
			t.Log("the call:\n" + strings.Join(rows(n, 0), "\n"))
		}
	})
}

// peerRefreshes runs f in calls in which the peer is the refresher.
func peerRefreshes(t *testing.T, f func(*testing.T, *scripted)) {
	t.Helper()
	for role, timer := range map[string]string{"callee": theirs("uac"), "caller": theirs("uas")} {
		t.Run(role, func(t *testing.T) { inRole(t, role, timer, f) })
	}
}

// TestUpdateWithoutBody: diago refuses UPDATE with 405; with the timers it is
// answered, though no diago handler sees it (trap 24, E-30).
func TestUpdateWithoutBody_Trap24(t *testing.T) {
	peerRefreshes(t, func(t *testing.T, s *scripted) {
		media := s.call.Media().MediaSession()
		for range 3 {
			time.Sleep(300 * time.Second)
			s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 600;refresher=uac")
			res := s.peer.ExpectResponse(t, 200)
			want(t, res, "Session-Expires", "600;refresher=uac")
			want(t, res, "Require", "timer")
			if len(res.Body()) > 0 {
				t.Errorf("the 200 to an UPDATE without offer has a body:\n%s", res.Body())
			}
			if !strings.Contains(header(res, "Contact"), phoneAddr) {
				t.Errorf("the 200 to UPDATE has Contact %q, want diago's", header(res, "Contact"))
			}
		}
		if s.call.Media().MediaSession() != media {
			t.Error("an UPDATE without offer replaced diago's media session")
		}
		s.peerHangsUp(t)
	})
}

// peerHangsUp ends the call.
func (s *scripted) peerHangsUp(t *testing.T) {
	t.Helper()
	s.peer.Request(sip.BYE)
	s.peer.ExpectResponse(t, 200)
	synctest.Wait()
	_ = s.call.Close()
	s.wantOver(s.call)
}

// TestUpdateWithSameOffer: an unchanged session description gets the one that
// diago sent last, byte for byte, and no change of media (D-14).
func TestUpdateWithSameOffer_D14(t *testing.T) {
	peerRefreshes(t, func(t *testing.T, s *scripted) {
		media := s.call.Media().MediaSession()
		sent := sentSDP(s.net, phoneAddr)
		time.Sleep(300 * time.Second)
		s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 600;refresher=uac", offer(1, 4000, "sendrecv"))
		res := s.peer.ExpectResponse(t, 200)
		want(t, res, "Session-Expires", "600;refresher=uac")
		want(t, res, "Content-Type", "application/sdp")
		if diff := cmp.Diff(sent[len(sent)-1], string(res.Body())); diff != "" {
			t.Errorf("the answer is not what diago sent last (-want +got):\n%s", diff)
		}
		if s.call.Media().MediaSession() != media {
			t.Error("an unchanged offer replaced diago's media session")
		}
		s.peerHangsUp(t)
	})
}

// TestUpdateWithNewOffer: a changed one goes to diago as a re-INVITE would, and
// its answer comes back in the 200 to the UPDATE (RFC 3311 §5.2).
func TestUpdateWithNewOffer_E31(t *testing.T) {
	peerRefreshes(t, func(t *testing.T, s *scripted) {
		s.peerReInvites(t, offer(1, 4000, "sendrecv")) // diago has had an INVITE
		time.Sleep(100 * time.Second)
		update := s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 600;refresher=uac", offer(2, 4444, "sendrecv"))
		res := s.peer.ExpectResponse(t, 200)
		want(t, res, "CSeq", update.CSeq().Value())
		want(t, res, "Session-Expires", "600;refresher=uac")
		want(t, res, "Content-Type", "application/sdp")
		if !strings.Contains(string(res.Body()), fmt.Sprintf("m=audio %d ", s.call.Media().MediaSession().Laddr.Port)) {
			t.Errorf("the 200 to the UPDATE answers its offer with %q, want diago's session description", res.Body())
		}
		if got := s.call.Media().MediaSession().Raddr.Port; got != 4444 {
			t.Errorf("diago sends audio to port %d, want 4444 of the UPDATE", got)
		}
		// The peer may go on with requests that diago numbers itself.
		s.peerReInvites(t, offer(3, 4446, "sendrecv"))
		if got := s.call.Media().MediaSession().Raddr.Port; got != 4446 {
			t.Errorf("diago sends audio to port %d, want 4446 of the re-INVITE after the UPDATE", got)
		}
		s.peerHangsUp(t)
	})
}

// peerReInvites sends a re-INVITE and its ACK.
func (s *scripted) peerReInvites(t *testing.T, sdp string) *sip.Response {
	t.Helper()
	s.peer.Request(sip.INVITE, "Supported: timer", "Session-Expires: 600;refresher=uac", sdp)
	res := s.peer.ExpectResponse(t, 200)
	s.peer.Ack(res)
	synctest.Wait()
	return res
}

// TestPeersReInvite: diago answers a re-INVITE without a word of session timers
// and sends the 200 once; with the middleware it has Session-Expires and comes
// again until the ACK (trap 24, E-22).
func TestPeersReInvite_Trap24_E22(t *testing.T) {
	for name, sdp := range map[string]string{"same": offer(1, 4000, "sendrecv"), "changed": offer(2, 4444, "sendrecv"), "none": ""} {
		t.Run(name, func(t *testing.T) {
			peerRefreshes(t, func(t *testing.T, s *scripted) {
				time.Sleep(300 * time.Second)
				before := len(s.net.Messages())
				s.peer.Request(sip.INVITE, "Supported: timer", "Session-Expires: 600;refresher=uac", sdp)
				time.Sleep(5 * time.Second)
				res := s.peer.ExpectResponse(t, 200)
				want(t, res, "Session-Expires", "600;refresher=uac")
				want(t, res, "Require", "timer")
				if len(res.Body()) == 0 {
					t.Error("the 200 to the re-INVITE has no session description")
				}
				s.peer.Ack(res)
				synctest.Wait()
				time.Sleep(30 * time.Second)
				var got []string
				for _, m := range s.net.Messages()[before:] {
					if m.From == phoneAddr && sipnet.Label(m.SIP) == "200 OK (INVITE)" {
						got = append(got, fmt.Sprintf("%.1f %s", (m.At-300*time.Second).Seconds(), sipnet.Timers(m.SIP)))
					}
				}
				wantRows := []string{"0.0", "0.5", "1.5", "3.5"}
				for i := range wantRows {
					wantRows[i] += " Session-Expires: 600;refresher=uac"
				}
				if diff := cmp.Diff(wantRows, got); diff != "" {
					t.Errorf("the 200s to a re-INVITE acknowledged after 5 s differ (-want +got):\n%s", diff)
				}
				s.expires(t, 305*time.Second+568*time.Second) // it counts from the late ACK
			})
		})
	}
}

// expires waits for diago's call to end at the given time.
func (s *scripted) expires(t *testing.T, at time.Duration) {
	t.Helper()
	time.Sleep(at - s.net.Elapsed() - time.Nanosecond)
	synctest.Wait()
	if s.call.Context().Err() != nil {
		t.Errorf("diago's call is over before %v", at)
	}
	time.Sleep(time.Nanosecond)
	synctest.Wait()
	if s.call.Context().Err() == nil {
		t.Errorf("diago's call lives at %v, want it to end there", at)
	}
	s.peer.Reply(s.peer.ExpectRequest(t, sip.BYE), 200, "OK")
	synctest.Wait()
	_ = s.call.Close()
	s.wantOver(s.call)
}

// TestUpdateOutsideCalls: an UPDATE for no call gets 481 (E-37).
func TestUpdateOutsideCalls_E37(t *testing.T) {
	peerRefreshes(t, func(t *testing.T, s *scripted) {
		s.peerHangsUp(t)
		s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 600;refresher=uac")
		s.peer.ExpectResponse(t, 481)
	})
}

// TestPeerMoves: an UPDATE that diago does not see moves the peer; what diago
// sends next goes to the new Contact (E-30, trap 16).
func TestPeerMoves_E30_Trap16(t *testing.T) {
	peerRefreshes(t, func(t *testing.T, s *scripted) {
		moved := s.net.Peer("10.0.0.1:6000")
		s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 600;refresher=uac", "Contact: <sip:peer@10.0.0.1:6000>")
		s.peer.ExpectResponse(t, 200)
		synctest.Wait() // taken, and not only answered
		for _, step := range []struct {
			method sip.RequestMethod
			do     func(context.Context) error
		}{
			{sip.INVITE, s.call.Hold}, {sip.INVITE, s.call.ReInvite}, {sip.INFO, s.info}, {sip.BYE, s.call.Hangup},
		} {
			done := make(chan error, 1)
			go func() { done <- step.do(context.Background()) }()
			req := moved.ExpectRequest(t, step.method)
			if got := req.Recipient.String(); got != "sip:peer@10.0.0.1:6000" {
				t.Errorf("%s is for %s, want it for the new Contact", step.method, got)
			}
			if step.method == sip.INVITE {
				moved.Reply(req, 200, "OK", "Session-Expires: 600;refresher=uas", offer(2, 4000, "sendrecv"))
				for range 2 { // diago's ReInvite sends the ACK twice
					_, _ = moved.RecvAny(50 * time.Millisecond)
				}
			} else {
				moved.Reply(req, 200, "OK")
			}
			if err := <-done; err != nil {
				t.Errorf("diago's %s: %v", step.method, err)
			}
		}
		_ = s.call.Close()
		synctest.Wait()
		s.wantOver(s.call)
	})
}

package diagotimer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// weRefresh runs f in calls in which diago's side is the refresher.
func weRefresh(t *testing.T, f func(*testing.T, *scripted), opts ...middleware.Option) {
	t.Helper()
	for role, timer := range map[string]string{"callee": theirs("uas"), "caller": theirs("uac")} {
		t.Run(role, func(t *testing.T) { inRole(t, role, timer, f, opts...) })
	}
}

// during answers what diago sends while it does something, and until it is
// quiet.
func (s *scripted) during(t *testing.T, what string, do func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	for {
		msg, ok := s.peer.Recv(50 * time.Millisecond)
		if ok {
			s.answerAny(t, msg)
			continue
		}
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("diago's %s: %v, want no error", what, err)
			}
			return
		default:
		}
	}
}

func (s *scripted) answerAny(t *testing.T, msg sip.Message) {
	t.Helper()
	req, ok := msg.(*sip.Request)
	if !ok {
		return
	}
	switch req.Method {
	case sip.ACK:
	case sip.REFER:
		s.peer.Reply(req, 202, "Accepted")
	case sip.INVITE:
		direction := "sendrecv"
		if strings.Contains(string(req.Body()), "a=sendonly") {
			direction = "recvonly"
		}
		s.peer.Reply(req, 200, "OK", "Require: timer", "Supported: timer", peerAllow,
			"Session-Expires: "+header(req, "Session-Expires"), offer(2, 4000, direction))
	case sip.UPDATE:
		s.peer.Reply(req, 200, "OK", "Require: timer", "Supported: timer", peerAllow,
			"Session-Expires: "+header(req, "Session-Expires"))
	default:
		s.peer.Reply(req, 200, "OK")
	}
}

// refresh waits for the refresh due 300 s after the last 2xx and answers it.
func (s *scripted) refresh(t *testing.T, method sip.RequestMethod) *sip.Request {
	t.Helper()
	start := s.net.Elapsed()
	msg, ok := s.peer.Recv(301 * time.Second)
	req, isRequest := msg.(*sip.Request)
	if !ok || !isRequest || req.Method != method {
		t.Fatalf("%v after the last 2xx the peer got %s, want %s", s.net.Elapsed()-start, sipnet.Label(msg), method)
	}
	s.answerAny(t, req)
	if method == sip.INVITE {
		ack := s.peer.ExpectRequest(t, sip.ACK)
		if ack.CSeq().SeqNo != req.CSeq().SeqNo {
			t.Errorf("the refresh has CSeq %d and its ACK %d, want the same", req.CSeq().SeqNo, ack.CSeq().SeqNo)
		}
	}
	synctest.Wait()
	return req
}

// TestOwnRequestsBetweenRefreshes: refreshes that diago does not know of shift
// the CSeq of all it sends, ACKs included (trap 13, J-13), and its re-INVITEs
// carry the timer and restart it (D-06, J-01); REFER and INFO do not (J-02).
func TestOwnRequestsBetweenRefreshes_Trap13_J01_J02_J13(t *testing.T) {
	weRefresh(t, func(t *testing.T, s *scripted) {
		ctx := context.Background()
		before := len(s.net.Messages())
		s.refresh(t, sip.UPDATE)
		s.during(t, "ReInvite", func() error { return s.call.ReInvite(ctx) })
		s.during(t, "Hold", func() error { return s.call.Hold(ctx) })
		s.refresh(t, sip.UPDATE)
		s.during(t, "INFO", func() error { return s.info(ctx) })
		s.during(t, "Unhold", func() error { return s.call.Unhold(ctx) })
		s.refresh(t, sip.UPDATE)
		s.during(t, "Refer", func() error { return s.call.Refer(ctx, sip.Uri{Scheme: "sip", User: "third", Host: "10.0.0.3"}) })
		time.Sleep(100 * time.Second)
		s.during(t, "INFO", func() error { return s.info(ctx) })
		s.refresh(t, sip.UPDATE)
		s.during(t, "Hangup", func() error { return s.call.Hangup(ctx) })
		_ = s.call.Close()
		synctest.Wait()
		s.wantOver(s.call)

		var got []string
		for _, m := range s.net.Messages()[before:] {
			req, ok := m.SIP.(*sip.Request)
			if ok && m.From == phoneAddr && req.Method != sip.ACK {
				got = append(got, strings.TrimSpace(req.Method.String()+" "+header(req, "Session-Expires")))
			}
		}
		timer := " 600;refresher=uac"
		wantSent := []string{"UPDATE" + timer, "INVITE" + timer, "INVITE" + timer, "UPDATE" + timer, "INFO", "INVITE" + timer,
			"UPDATE" + timer, "REFER", "INFO", "UPDATE" + timer, "BYE"}
		if diff := cmp.Diff(wantSent, got); diff != "" {
			t.Errorf("what diago's side sent differs (-want +got):\n%s", diff)
		}
		s.wantAcked(t, s.net.Messages()[before:])
	})
}

// info sends an INFO within the dialog as a diago application does.
func (s *scripted) info(ctx context.Context) error {
	req := sip.NewRequest(sip.INFO, sip.Uri{Scheme: "sip", User: "peer", Host: "10.0.0.1", Port: 5060})
	res, err := s.call.Do(ctx, req)
	if err == nil && !res.IsSuccess() {
		err = fmt.Errorf("INFO answered %d", res.StatusCode)
	}
	return err
}

// wantAcked checks that each INVITE of the phone got an ACK of its number.
func (s *scripted) wantAcked(t *testing.T, msgs []sipnet.Message) {
	t.Helper()
	acked := make(map[uint32]bool)
	for _, m := range msgs {
		if req, ok := m.SIP.(*sip.Request); ok && m.From == phoneAddr && req.Method == sip.ACK {
			acked[req.CSeq().SeqNo] = true
		}
	}
	for _, m := range msgs {
		if req, ok := m.SIP.(*sip.Request); ok && m.From == phoneAddr && req.IsInvite() && !acked[req.CSeq().SeqNo] {
			t.Errorf("the INVITE with CSeq %d has no ACK", req.CSeq().SeqNo)
		}
	}
}

// TestReInviteRepeatsSDP: a refresh by re-INVITE has, byte for byte, what diago
// sent last, so that a call on hold stays there (D-13, trap 11).
func TestReInviteRepeatsSDP_D13_Trap11(t *testing.T) {
	weRefresh(t, func(t *testing.T, s *scripted) {
		ctx := context.Background()
		check := func(when, direction string) {
			t.Helper()
			sent := sentSDP(s.net, phoneAddr)
			req := s.refresh(t, sip.INVITE)
			want(t, req, "Content-Type", "application/sdp")
			want(t, req, "Session-Expires", "600;refresher=uac")
			if diff := cmp.Diff(sent[len(sent)-1], string(req.Body())); diff != "" {
				t.Errorf("%s the refresh does not repeat diago's last session description (-want +got):\n%s", when, diff)
			}
			if !strings.Contains(string(req.Body()), "a="+direction) {
				t.Errorf("%s the refresh says %q, want a=%s", when, req.Body(), direction)
			}
		}
		check("at first", "sendrecv")
		s.during(t, "Hold", func() error { return s.call.Hold(ctx) })
		check("on hold", "sendonly")
		check("on hold, again,", "sendonly")
		s.during(t, "Unhold", func() error { return s.call.Unhold(ctx) })
		check("after hold", "sendrecv")
		s.during(t, "ReInvite", func() error { return s.call.ReInvite(ctx) })
		check("after diago's own re-INVITE", "sendrecv")
		s.peerReInvites(t, offer(3, 4446, "sendonly"))
		time.Sleep(299 * time.Second) // the peer took over the refreshes: Table 2 row 5
		s.peerHangsUp(t)
	}, middleware.WithMethod(sessiontimer.MethodReInvite))
}

// TestReInviteAfterPeersOffer: after the peer put diago on hold the refresh
// repeats diago's answer (D-13).
func TestReInviteAfterPeersOffer_D13(t *testing.T) {
	weRefresh(t, func(t *testing.T, s *scripted) {
		s.peer.Request(sip.INVITE, "Supported: timer", "Session-Expires: 600;refresher=uas", offer(2, 4000, "sendonly"))
		res := s.peer.ExpectResponse(t, 200)
		want(t, res, "Session-Expires", "600;refresher=uas")
		s.peer.Ack(res)
		req := s.refresh(t, sip.INVITE)
		if diff := cmp.Diff(string(res.Body()), string(req.Body())); diff != "" {
			t.Errorf("the refresh does not repeat diago's answer (-want +got):\n%s", diff)
		}
		s.peerHangsUp(t)
	}, middleware.WithMethod(sessiontimer.MethodReInvite))
}

// TestMediaFollowsAnswer: the answer to a refresh by re-INVITE tells of another port.
// diago, which has not seen it, sends there from then on (D-31).
func TestMediaFollowsAnswer_D31(t *testing.T) {
	weRefresh(t, func(t *testing.T, s *scripted) {
		s.peer.Request(sip.INVITE, "Supported: timer", "Session-Expires: 600;refresher=uas", offer(2, 4000, "sendrecv"))
		s.peer.Ack(s.peer.ExpectResponse(t, 200)) // diago has had an INVITE
		for _, port := range []int{4000, 4444} {
			time.Sleep(300 * time.Second)
			req := s.peer.ExpectRequest(t, sip.INVITE)
			s.peer.Reply(req, 200, "OK", "Supported: timer", "Session-Expires: 600;refresher=uac", offer(port, port, "sendrecv"))
			s.peer.ExpectRequest(t, sip.ACK)
			synctest.Wait()
			if got := s.call.Media().MediaSession().Raddr.Port; got != port {
				t.Errorf("diago sends audio to port %d after a refresh, want %d", got, port)
			}
		}
		s.peerReInvites(t, offer(5, 4666, "sendrecv")) // its numbers go on
		if got := s.call.Media().MediaSession().Raddr.Port; got != 4666 {
			t.Errorf("diago sends audio to port %d after a re-INVITE of the peer, want 4666", got)
		}
		s.peerHangsUp(t)
	}, middleware.WithMethod(sessiontimer.MethodReInvite))
}

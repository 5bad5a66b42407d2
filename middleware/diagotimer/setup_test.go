package diagotimer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// alone runs f in a bubble with a phone and a peer that have no call yet.
func alone(t *testing.T, f func(*testing.T, *scripted), opts ...middleware.Option) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		n := sipnet.New()
		s := &scripted{phone: newPhone(t, n, "udp", opts...), peer: n.Peer(otherAddr)}
		defer s.stop()
		f(t, s)
		sipnet.CheckCSeq(t, n.Messages())
		if t.Failed() {
			t.Log("the call:\n" + strings.Join(rows(n, 0), "\n"))
		}
	})
}

// dial has diago call, in the background.
func (s *scripted) dial(ctx context.Context, opts diago.InviteClientOptions) (answered chan error) {
	return s.dialTo(ctx, "10.0.0.1", opts)
}

func (s *scripted) dialTo(ctx context.Context, host string, opts diago.InviteClientOptions) (answered chan error) {
	answered = make(chan error, 1)
	go func() {
		d, err := s.inviteTo(ctx, host, opts)
		if err == nil {
			s.call = d
		}
		answered <- err
	}()
	return answered
}

// TestInviteAgainAfter422: diago knows no 422; the INVITE goes out again below
// it, with its offer and its own header fields (C-14 to C-17, trap 9).
func TestInviteAgainAfter422_C14_C17_Trap9(t *testing.T) {
	alone(t, func(t *testing.T, s *scripted) {
		answered := s.dial(context.Background(), diago.InviteClientOptions{Headers: []sip.Header{sip.NewHeader("X-Case", "422")}})
		var first *sip.Request
		for _, step := range []struct{ asks, refused string }{{"1800", "3600"}, {"3600", "4000"}} {
			invite := s.peer.ExpectRequest(t, sip.INVITE)
			if first == nil {
				first = invite
			}
			want(t, invite, "Session-Expires", step.asks)
			want(t, invite, "X-Case", "422")
			if diff := cmp.Diff(string(first.Body()), string(invite.Body())); diff != "" {
				t.Errorf("the offer changed in the retry (-first +now):\n%s", diff)
			}
			s.peer.Reply(invite, 422, "Session Interval Too Small", "Min-SE: "+step.refused)
			s.peer.ExpectRequest(t, sip.ACK)
		}
		invite := s.peer.ExpectRequest(t, sip.INVITE)
		want(t, invite, "Session-Expires", "4000")
		want(t, invite, "Min-SE", "4000")
		want(t, invite, "Call-ID", first.CallID().Value())
		if got := invite.CSeq().SeqNo; got != first.CSeq().SeqNo+2 {
			t.Errorf("the third INVITE has CSeq %d, want %d", got, first.CSeq().SeqNo+2)
		}
		s.peer.Reply(invite, 200, "OK", "Require: timer", "Session-Expires: 4000;refresher=uac", peerAllow)
		ack := s.peer.ExpectRequest(t, sip.ACK)
		if ack.CSeq().SeqNo != invite.CSeq().SeqNo {
			t.Errorf("diago's ACK has CSeq %d, want %d of the INVITE that was accepted", ack.CSeq().SeqNo, invite.CSeq().SeqNo)
		}
		if err := <-answered; err != nil {
			t.Fatalf("diago's Invite: %v, want no error, since the third INVITE was accepted", err)
		}
		time.Sleep(2000 * time.Second)
		refresh := s.peer.ExpectRequest(t, sip.UPDATE)
		want(t, refresh, "Session-Expires", "4000;refresher=uac")
		want(t, refresh, "Min-SE", "") // D-09
		s.answerAny(t, refresh)
		s.peerHangsUp(t)
	})
}

// TestRefused422 is what diago sees of a 422 that cannot be satisfied (C-20).
func TestRefused422_C20(t *testing.T) {
	alone(t, func(t *testing.T, s *scripted) {
		answered := s.dial(context.Background(), diago.InviteClientOptions{})
		s.peer.Reply(s.peer.ExpectRequest(t, sip.INVITE), 422, "Session Interval Too Small")
		s.peer.ExpectRequest(t, sip.ACK)
		var refused *sipgo.ErrDialogResponse
		if err := <-answered; !errors.As(err, &refused) || refused.Res.StatusCode != 422 {
			t.Errorf("diago's Invite: %v, want the 422", err)
		}
		time.Sleep(64 * sip.T1)
		s.wantIdle()
	})
}

// TestDigest: diago answers the challenge to its INVITE, before or after a 422,
// and what the timer needs is in every one (B-10); the refresh is answered with
// the credentials of the timers (F-07).
func TestDigest_B10_F07(t *testing.T) {
	for _, order := range []string{"401 422", "422 401", "407"} {
		t.Run(order, func(t *testing.T) {
			alone(t, func(t *testing.T, s *scripted) {
				answered := s.dial(context.Background(), diago.InviteClientOptions{Username: "phone", Password: "secret"})
				for _, status := range strings.Fields(order) {
					s.refuse(t, s.peer.ExpectRequest(t, sip.INVITE), status)
				}
				invite := s.peer.ExpectRequest(t, sip.INVITE)
				if header(invite, "Authorization")+header(invite, "Proxy-Authorization") == "" {
					t.Errorf("the last INVITE has no credentials:\n%s", invite)
				}
				se, minSE := "3600", "3600"
				if order == "407" {
					se, minSE = "1800", ""
				}
				want(t, invite, "Session-Expires", se)
				want(t, invite, "Min-SE", minSE)
				want(t, invite, "Supported", "timer")
				s.peer.Reply(invite, 200, "OK", "Require: timer", "Session-Expires: "+se+";refresher=uac", peerAllow)
				s.peer.ExpectRequest(t, sip.ACK)
				if err := <-answered; err != nil {
					t.Fatalf("diago's Invite: %v, want no error after %s", err, order)
				}
				half, _ := time.ParseDuration(se + "s")
				time.Sleep(half / 2)
				s.refuse(t, s.peer.ExpectRequest(t, sip.UPDATE), "407")
				update := s.peer.ExpectRequest(t, sip.UPDATE)
				if !strings.Contains(header(update, "Proxy-Authorization"), `username="phone"`) {
					t.Errorf("the refresh has no credentials after a 407:\n%s", update)
				}
				want(t, update, "Session-Expires", se+";refresher=uac")
				s.answerAny(t, update)
				s.peerHangsUp(t)
			}, middleware.WithCredentials("test", "phone", "secret"))
		})
	}
}

// refuse answers with a challenge, or a 422 that asks for an hour.
func (s *scripted) refuse(t *testing.T, req *sip.Request, status string) {
	t.Helper()
	switch status {
	case "401":
		s.peer.Reply(req, 401, "Unauthorized", `WWW-Authenticate: Digest realm="test", nonce="n1", algorithm=MD5`)
	case "407":
		s.peer.Reply(req, 407, "Proxy Authentication Required", `Proxy-Authenticate: Digest realm="test", nonce="n2", algorithm=MD5`)
	case "422":
		s.peer.Reply(req, 422, "Session Interval Too Small", "Min-SE: 3600")
	}
	if req.IsInvite() {
		s.peer.ExpectRequest(t, sip.ACK)
	}
}

// TestCancel: diago gives up a call that rings. The CANCEL names the INVITE that
// is in progress, also after a 422 (C-14), and nothing is left.
func TestCancel_C14(t *testing.T) {
	for _, refusals := range []string{"", "422"} {
		t.Run("after "+refusals, func(t *testing.T) {
			alone(t, func(t *testing.T, s *scripted) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				answered := s.dial(ctx, diago.InviteClientOptions{})
				for _, status := range strings.Fields(refusals) {
					s.refuse(t, s.peer.ExpectRequest(t, sip.INVITE), status)
				}
				invite := s.peer.ExpectRequest(t, sip.INVITE)
				s.peer.Reply(invite, 180, "Ringing")
				time.Sleep(10 * time.Second)
				cancel()
				request := s.peer.ExpectRequest(t, sip.CANCEL)
				s.peer.Reply(request, 200, "OK")
				s.peer.Reply(invite, 487, "Request Terminated")
				s.peer.ExpectRequest(t, sip.ACK)
				if err := <-answered; !errors.Is(err, context.Canceled) {
					t.Errorf("diago's Invite: %v, want %v", err, context.Canceled)
				}
				time.Sleep(64 * sip.T1)
				s.wantIdle()
				if told := s.told(); len(told) > 0 {
					t.Errorf("events of a call that never was: %v", told)
				}
			})
		})
	}
}

// TestPeerCancels: the peer gives up before diago answers.
func TestPeerCancels(t *testing.T) {
	alone(t, func(t *testing.T, s *scripted) {
		s.dg.HandleFunc(func(d *diago.DialogServerSession) {
			_ = d.Ringing()
			<-d.Context().Done()
		})
		s.peer.Invite(phoneAddr, "Supported: timer", "Session-Expires: 600", offer(1, 4000, "sendrecv"))
		s.peer.ExpectResponse(t, 180)
		s.peer.Cancel()
		var got []string
		for range 2 {
			msg, _ := s.peer.Recv(time.Second)
			got = append(got, sipnet.Label(msg))
			if res, ok := msg.(*sip.Response); ok && res.StatusCode == 487 {
				s.peer.Ack(res)
			}
		}
		if text := strings.Join(got, ", "); !strings.Contains(text, "200") || !strings.Contains(text, "487") {
			t.Errorf("a cancelled call got %s, want a 200 and a 487", text)
		}
		time.Sleep(64 * sip.T1)
		s.wantIdle()
	})
}

// TestRefusesShortIntervals: a peer with timers that asks for less than we
// accept gets 422 and diago sees no call (E-13).
func TestRefusesShortIntervals_E13(t *testing.T) {
	alone(t, func(t *testing.T, s *scripted) {
		s.peer.Invite(phoneAddr, "Supported: timer", "Session-Expires: 90", offer(1, 4000, "sendrecv"))
		res := s.peer.ExpectResponse(t, 422)
		want(t, res, "Min-SE", "300")
		s.peer.Ack(res)
		synctest.Wait()
		s.wantIdle()
		s.peer.Request(sip.INVITE, "Supported: timer", "Session-Expires: 300", "Min-SE: 300", offer(1, 4000, "sendrecv"))
		s.peer.ExpectResponse(t, 183)
		res = s.peer.ExpectResponse(t, 200)
		want(t, res, "Session-Expires", "300;refresher=uac")
		s.peer.Ack(res)
		synctest.Wait()
		s.call = s.answered()
		s.peerHangsUp(t)
	}, middleware.WithMinSE(300*time.Second))
}

// TestUnansweredCalls: calls that diago refuses or that fail leave nothing
// (trap 21).
func TestUnansweredCalls_Trap21(t *testing.T) {
	alone(t, func(t *testing.T, s *scripted) {
		s.dg.HandleFunc(func(d *diago.DialogServerSession) {
			_ = d.Ringing()
			_ = d.Respond(486, "Busy Here", nil)
		})
		s.peer.Invite(phoneAddr, "Supported: timer", "Session-Expires: 600", offer(1, 4000, "sendrecv"))
		s.peer.Ack(s.peer.ExpectResponse(t, 486))
		answered := s.dial(context.Background(), diago.InviteClientOptions{})
		s.peer.Reply(s.peer.ExpectRequest(t, sip.INVITE), 603, "Decline")
		s.peer.ExpectRequest(t, sip.ACK)
		if err := <-answered; err == nil {
			t.Error("diago's Invite: no error, want the 603")
		}
		time.Sleep(64 * sip.T1)
		s.wantIdle()
		if told := s.told(); len(told) > 0 {
			t.Errorf("events of calls that never were: %v", told)
		}
	})
}

// TestOff: with the mode Off nothing is added, diago's calls are as without the
// library, and an UPDATE is refused as diago does (trap 22).
func TestOff_Trap22(t *testing.T) {
	for role, timer := range map[string]string{"callee": theirs("uac"), "caller": theirs("uas")} {
		t.Run(role, func(t *testing.T) {
			inRole(t, role, timer, func(t *testing.T, s *scripted) {
				for _, m := range s.net.Messages() {
					if m.From == phoneAddr && (sipnet.Timers(m.SIP) != "" || strings.Contains(header(m.SIP, "Supported"), "timer")) {
						t.Errorf("with timers off diago's side sent\n%s", m.Raw)
					}
				}
				s.peer.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 600;refresher=uac")
				s.peer.ExpectResponse(t, 405)
				time.Sleep(time.Hour)
				s.during(t, "Hangup", func() error { return s.call.Hangup(context.Background()) })
				_ = s.call.Close()
				synctest.Wait()
				s.wantOver(s.call)
			}, middleware.WithMode(sessiontimer.Off))
		})
	}
}

// TestLongRing: nothing is armed before the 2xx, early media or not (B-11, J-04,
// trap 14).
func TestLongRing_B11_J04_Trap14(t *testing.T) {
	alone(t, func(t *testing.T, s *scripted) {
		s.dg.HandleFunc(func(d *diago.DialogServerSession) {
			m, _ := ring(d, s.media())
			time.Sleep(170 * time.Second)
			s.mu.Lock()
			s.taken = &session{d, m}
			s.mu.Unlock()
			if err := accept(d, m, diago.AnswerOptions{}); err != nil {
				t.Errorf("the answer after a long ring: %v", err)
			}
			<-d.Context().Done()
		})
		s.peer.Invite(phoneAddr, "Supported: timer", "Session-Expires: 90;refresher=uac", offer(1, 4000, "sendrecv"))
		want(t, s.peer.ExpectResponse(t, 183), "Session-Expires", "")
		time.Sleep(170 * time.Second)
		res := s.peer.ExpectResponse(t, 200)
		want(t, res, "Session-Expires", "90;refresher=uac")
		s.peer.Ack(res)
		synctest.Wait()
		s.call = s.answered()
		s.expires(t, 170*time.Second+60*time.Second)
	})
}

package diagotimer_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// TestTransfer: the call that a REFER makes negotiates for itself, while the old
// one keeps its timer and numbers NOTIFYs and refreshes together (J-06, J-13).
func TestTransfer_J06_J13(t *testing.T) {
	alone(t, func(t *testing.T, s *scripted) {
		made := make(chan *diago.DialogClientSession, 1)
		s.dg.HandleFunc(func(d *diago.DialogServerSession) {
			s.take(d, diago.AnswerOptions{OnRefer: func(third *diago.DialogClientSession) error {
				if _, err := invite(third.Context(), third, s.media(), diago.InviteClientOptions{}); err != nil {
					return err
				}
				if err := third.Ack(third.Context()); err != nil {
					return err
				}
				made <- third
				<-third.Context().Done()
				return nil
			}})
		})
		s.isCalled(t, theirs("uas"))
		third := s.net.Peer("10.0.0.3:5060")
		s.refresh(t, sip.UPDATE)
		s.peer.Request(sip.REFER, "Refer-To: <sip:third@10.0.0.3:5060>")
		s.peer.ExpectResponse(t, 202)
		s.answerAny(t, s.peer.ExpectRequest(t, sip.NOTIFY))
		invite := third.ExpectRequest(t, sip.INVITE)
		want(t, invite, "Session-Expires", "1800")
		third.Reply(invite, 200, "OK", "Require: timer", "Session-Expires: 1800;refresher=uas", offer(1, 5000, "sendrecv"))
		third.ExpectRequest(t, sip.ACK)
		s.answerAny(t, s.peer.ExpectRequest(t, sip.NOTIFY))
		s.refresh(t, sip.UPDATE)
		s.peer.Request(sip.BYE)
		s.peer.ExpectResponse(t, 200)

		transferred := <-made
		if transferred.Context().Err() != nil {
			t.Error("the new call ended with the old one")
		}
		third.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 1800;refresher=uac")
		third.ExpectResponse(t, 200)
		third.Request(sip.BYE)
		third.ExpectResponse(t, 200)
		synctest.Wait()
		s.wantOver(s.call)
	})
}

// TestAtTheSameMoment: what diago sends at the very moment of a refresh neither
// collides with it nor overtakes it (trap 12).
func TestAtTheSameMoment_Trap12(t *testing.T) {
	for _, method := range []sessiontimer.Method{sessiontimer.MethodUpdate, sessiontimer.MethodReInvite} {
		t.Run(method.String(), func(t *testing.T) {
			weRefresh(t, func(t *testing.T, s *scripted) {
				ctx := context.Background()
				do := map[string]func() error{
					"INFO":     func() error { return s.info(ctx) },
					"ReInvite": func() error { return s.call.ReInvite(ctx) },
				}
				for _, what := range []string{"INFO", "ReInvite", "INFO"} {
					s.atRefresh(t, what, do[what])
				}
				s.atRefresh(t, "Hangup", func() error { return s.call.Hangup(ctx) })
				_ = s.call.Close()
				synctest.Wait()
				s.wantOver(s.call)
			}, middleware.WithMethod(method))
		})
	}
}

// atRefresh has diago do something just when a refresh is due.
func (s *scripted) atRefresh(t *testing.T, what string, do func() error) {
	t.Helper()
	var since time.Time
	for call := range s.timers.Calls(context.Background()) {
		since = call.Session.Since
	}
	time.Sleep(time.Until(since.Add(299 * time.Second)))
	s.during(t, what, func() error {
		time.Sleep(time.Second)
		return do()
	})
}

// TestRefusedRefer: diago without OnRefer refuses, the timer goes
// on (J-02).
func TestRefusedRefer_J02(t *testing.T) {
	weRefresh(t, func(t *testing.T, s *scripted) {
		time.Sleep(100 * time.Second)
		s.peer.Request(sip.REFER, "Refer-To: <sip:third@10.0.0.3:5060>")
		s.peer.ExpectResponse(t, 406)
		s.peer.Request(sip.OPTIONS)
		if allow := header(s.peer.ExpectResponse(t, 200), "Allow"); !strings.Contains(allow, "UPDATE") {
			t.Errorf("OPTIONS is answered with Allow %q, want UPDATE in it", allow)
		}
		start := s.net.Elapsed()
		s.refresh(t, sip.UPDATE)
		if got := s.net.Elapsed() - start; got != 200*time.Second {
			t.Errorf("the refresh came %v after the REFER, want 200s", got)
		}
		s.peerHangsUp(t)
	})
}

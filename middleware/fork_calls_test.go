package middleware_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

// forking is a call that several parties answer. The application acknowledges
// and ends the dialogs of all but the first by hand, as sipgo's sessions know
// the first only.
type forking struct {
	*lab
	alice  *sipua.UA
	peer   *sipnet.Peer
	call   *sipgo.DialogClientSession
	invite *sip.Request // as the peer got it
	forks  map[string]*sip.Response
}

// fork begins a call; the first answer has the tag "first".
func (l *lab) fork(headers ...string) *forking {
	l.Helper()
	f := &forking{lab: l, alice: l.alice(), peer: l.peer(), forks: make(map[string]*sip.Response)}
	// sipgo sends the ACK of the first dialog for each 200 that comes later; the
	// check at the end knows all of them by the number of the INVITE.
	call, err := f.alice.Invite(context.Background(), peerURI)
	if err != nil {
		l.Fatal(err)
	}
	f.call = call
	f.invite = f.peer.ExpectRequest(l, sip.INVITE)
	outcome := make(chan error, 1)
	go func() { outcome <- call.WaitAnswer(context.Background(), sipgo.AnswerOptions{}) }()
	f.answer("first", headers...)
	if err := <-outcome; err != nil {
		l.Fatal(err)
	}
	if err := call.Ack(context.Background()); err != nil {
		l.Fatal(err)
	}
	synctest.Wait()
	return f
}

func (f *forking) answer(tag string, headers ...string) {
	to := fmt.Sprintf("To: %s;tag=%s", f.invite.To().Value(), tag)
	headers = append([]string{to, allow}, headers...)
	if slices.ContainsFunc(headers[2:], func(h string) bool { return strings.HasPrefix(h, "Allow:") }) {
		headers = slices.Delete(headers, 1, 2)
	}
	f.forks[tag] = f.peer.Reply(f.invite, 200, "OK", headers...)
	synctest.Wait()
}

// request is a request of the application in the dialog of a fork.
func (f *forking) request(tag string, method sip.RequestMethod, cseq uint32) *sip.Request {
	req := sip.NewRequest(method, peerURI)
	req.AppendHeader(sip.HeaderClone(f.call.InviteRequest.From()))
	req.AppendHeader(sip.HeaderClone(f.forks[tag].To()))
	req.AppendHeader(sip.HeaderClone(f.call.InviteRequest.CallID()))
	req.AppendHeader(&sip.CSeqHeader{SeqNo: cseq, MethodName: method})
	maxForwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&maxForwards)
	_ = sipgo.ClientRequestAddVia(f.alice.Client, req)
	req.SetBody(nil)
	return req
}

func (f *forking) ack(tag string) {
	f.Helper()
	if err := f.alice.Client.WriteRequest(f.request(tag, sip.ACK, f.call.InviteRequest.CSeq().SeqNo)); err != nil {
		f.Error(err)
	}
	synctest.Wait()
}

// bye hangs the fork up, whatever the peer says.
func (f *forking) bye(tag string) {
	f.Helper()
	tx, err := f.alice.Client.TransactionRequest(context.Background(), f.request(tag, sip.BYE, f.call.InviteRequest.CSeq().SeqNo+1))
	if err != nil {
		f.Fatal(err)
	}
	synctest.Wait()
	f.peer.Reply(f.expect(sip.BYE, tag), 200, "OK")
	<-tx.Responses()
	tx.Terminate()
	synctest.Wait()
}

// wantTo are the requests of the method that were sent within the dialog of tag.
func (f *forking) wantTo(tag string, method sip.RequestMethod, want ...time.Duration) {
	f.Helper()
	var got []time.Duration
	for _, m := range f.requests(aliceAddr, string(method)) {
		if toTag(m.SIP) == tag {
			got = append(got, m.At)
		}
	}
	if !slices.Equal(got, want) {
		f.Errorf("C-23: %s in the dialog of %q at %v, should be at %v", method, tag, got, want)
	}
}

// refresh has the peer accept the next refresh, in whatever dialog.
func (f *forking) refresh(at time.Duration) {
	f.Helper()
	f.at(at)
	update := f.expect(sip.UPDATE, "")
	f.peer.Reply(update, 200, "OK", "Session-Expires: "+field(update, "Session-Expires"))
	synctest.Wait()
}

// expect is the next request of the method that the peer gets, within the dialog
// of tag or any.
func (f *forking) expect(method sip.RequestMethod, tag string) *sip.Request {
	f.Helper()
	for {
		msg, ok := f.peer.Recv(time.Second)
		if !ok {
			f.Fatalf("no %s within %q at %v", method, tag, f.net.Elapsed())
		}
		req, ok := msg.(*sip.Request)
		if ok && req.Method == method && (tag == "" || toTag(req) == tag) {
			return req
		}
	}
}

func toTag(m sip.Message) string { return m.To().Params.GetOr("tag", "") }

// C-23: each 2xx has its own timer, but only in a dialog that the application
// takes.
func TestForks(t *testing.T) {
	t.Run("C-23 one kept, one ended at once", func(t *testing.T) {
		inLab(t, func(l *lab) {
			f := l.fork("Session-Expires: 1800;refresher=uas")
			f.answer("second", "Session-Expires: 90;refresher=uac")
			f.ack("second")
			f.bye("second")
			l.at(1769 * time.Second)
			f.wantTo("first", sip.UPDATE)
			f.wantTo("second", sip.UPDATE)
			f.wantTo("second", sip.BYE, 0)
			f.wantTo("first", sip.BYE, 1768*time.Second)
			l.wantNothingLeft(f.alice)
		})
	})
	t.Run("C-23 J-03 one that nobody takes", func(t *testing.T) {
		inLab(t, func(l *lab) {
			f := l.fork("Session-Expires: 1800;refresher=uas")
			f.answer("second", "Session-Expires: 90;refresher=uac")
			f.answer("third", "Session-Expires: 90;refresher=uas")
			l.at(1769 * time.Second)
			f.wantTo("second", sip.UPDATE)
			f.wantTo("third", sip.BYE)
			if got := events(f.alice); len(got) == 0 || got[0] != "Negotiated" || slices.Contains(got[1:], "Negotiated") {
				l.Errorf("Alice is told %v, should be told of one call", got)
			}
			l.wantNothingLeft(f.alice)
		})
	})
	t.Run("C-23 both kept", func(t *testing.T) {
		inLab(t, func(l *lab) {
			f := l.fork(ours)
			l.at(10 * time.Second)
			f.answer("second", "Session-Expires: 600;refresher=uac")
			l.at(12 * time.Second)
			f.ack("second")
			f.refresh(310 * time.Second) // C-11: from the 200, not from its ACK
			f.refresh(610 * time.Second)
			f.refresh(900 * time.Second)
			f.refresh(910 * time.Second)
			f.wantTo("second", sip.UPDATE, 310*time.Second, 610*time.Second, 910*time.Second)
			f.wantTo("first", sip.UPDATE, 900*time.Second)
			f.bye("second")
			f.refresh(1800 * time.Second)
			f.wantTo("second", sip.UPDATE, 310*time.Second, 610*time.Second, 910*time.Second)
		})
	})
	t.Run("C-23 the second kept, the first ended", func(t *testing.T) {
		inLab(t, func(l *lab) {
			f := l.fork(ours)
			f.answer("second", "Session-Expires: 600;refresher=uac")
			f.ack("second")
			l.at(time.Second)
			f.bye("first")
			for i := range 4 {
				f.refresh(time.Duration(i+1) * 300 * time.Second)
			}
			f.wantTo("first", sip.UPDATE)
			f.bye("second")
			l.wantNothingLeft(f.alice)
		})
	})
	t.Run("C-23 the first ended before the second is taken", func(t *testing.T) {
		inLab(t, func(l *lab) {
			f := l.fork(ours)
			f.bye("first")
			f.answer("second", "Session-Expires: 600;refresher=uac")
			f.ack("second")
			for i := range 4 {
				f.refresh(time.Duration(i+1) * 300 * time.Second)
			}
			f.bye("second")
			l.wantNothingLeft(f.alice)
		})
	})
	t.Run("C-23 ended, and its 200 comes again", func(t *testing.T) {
		inLab(t, func(l *lab) {
			f := l.fork("Session-Expires: 1800;refresher=uas")
			f.answer("second", "Session-Expires: 90;refresher=uac")
			f.ack("second")
			f.bye("second")
			f.answer("second", "Session-Expires: 90;refresher=uac")
			f.ack("second")
			l.at(300 * time.Second)
			f.wantTo("second", sip.UPDATE)
		})
	})
	t.Run("C-23 hung up before its ACK", func(t *testing.T) {
		inLab(t, func(l *lab) {
			f := l.fork("Session-Expires: 1800;refresher=uas")
			f.answer("second", "Session-Expires: 90;refresher=uac")
			f.bye("second")
			f.ack("second")
			f.answer("second", "Session-Expires: 90;refresher=uac")
			f.ack("second")
			l.at(300 * time.Second)
			f.wantTo("second", sip.UPDATE)
			f.bye("first")
			l.wantNothingLeft(f.alice)
		})
	})
	t.Run("C-23 ended while the other is refreshed", func(t *testing.T) {
		inLab(t, func(l *lab) {
			f := l.fork(ours)
			f.answer("second", "Session-Expires: 1800;refresher=uas")
			f.ack("second")
			l.at(900 * time.Second)
			update := f.expect(sip.UPDATE, "first")
			f.bye("second")
			f.peer.Reply(update, 200, "OK", ours)
			synctest.Wait()
			f.refresh(1800 * time.Second)
			f.wantTo("first", sip.UPDATE, 900*time.Second, 1800*time.Second)
		})
	})
	t.Run("C-23 acknowledged again and again", func(t *testing.T) {
		inLab(t, func(l *lab) {
			f := l.fork("Session-Expires: 1800;refresher=uas")
			for range 5 {
				f.answer("second", "Session-Expires: 600;refresher=uac")
				f.ack("second")
				time.Sleep(5 * time.Second)
			}
			f.refresh(300 * time.Second)
			f.wantTo("second", sip.UPDATE, 300*time.Second)
		})
	})
	t.Run("C-23 more than are kept", func(t *testing.T) {
		inLab(t, func(l *lab) {
			f := l.fork("Session-Expires: 1800;refresher=uas")
			for i := range 1000 {
				f.answer(fmt.Sprint("fork", i), "Session-Expires: 90;refresher=uac")
			}
			if n := f.alice.Timers.Remembered(); n > 20 {
				l.Errorf("Alice remembers %d things of one call, should be a few", n)
			}
			l.at(1769 * time.Second)
			f.wantTo("first", sip.BYE, 1768*time.Second)
			l.wantNothingLeft(f.alice)
		})
	})
}

// C-23, C-24: what one party says while it rings is not true of another one.
func TestForksRingApart(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		_, outcome := l.dial(alice)
		invite := p.ExpectRequest(l, sip.INVITE)
		p.Reply(invite, 183, "Session Progress", "To: "+invite.To().Value()+";tag=other", allow, timerHeader, sdp2)
		synctest.Wait()
		p.Reply(invite, 200, "OK", ours)
		p.ExpectRequest(l, sip.ACK)
		if err := <-outcome; err != nil {
			l.Fatal(err)
		}
		l.at(900 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", ours)
		p.ExpectRequest(l, sip.ACK)
	})
}

// J-03: of three early dialogs one is answered; the others leave nothing.
func TestForksThatOnlyRing(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		_, outcome := l.dial(alice)
		invite := p.ExpectRequest(l, sip.INVITE)
		for _, tag := range []string{"one", "two", "three"} {
			p.Reply(invite, 183, "Session Progress", "To: "+invite.To().Value()+";tag="+tag, "Session-Expires: 90;refresher=uac", timerHeader, allow)
			synctest.Wait()
		}
		p.Reply(invite, 200, "OK", "To: "+invite.To().Value()+";tag=two", "Session-Expires: 1800;refresher=uas")
		p.ExpectRequest(l, sip.ACK)
		if err := <-outcome; err != nil {
			l.Fatal(err)
		}
		if legs, _, stored := alice.Timers.Left(); legs != 1 || stored != 1 {
			l.Errorf("Alice holds %d legs and %d dialogs, should hold one of each", legs, stored)
		}
		if got := l.next(p, time.Hour); got != "BYE at 29m28s" {
			l.Errorf("Alice sends %s, should send BYE at 29m28s and nothing before", got)
		}
		l.wantNothingLeft(alice)
	})
}

package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

// challenge answers an INVITE of ours with 401 or 407.
func (l *lab) challenge(p *sipnet.Peer, status int) *sip.Request {
	l.Helper()
	req := p.ExpectRequest(l, sip.INVITE)
	name := "WWW-Authenticate"
	if status == 407 {
		name = "Proxy-Authenticate"
	}
	p.Reply(req, status, "Challenge", name+`: Digest realm="lab", nonce="n1", algorithm=MD5`)
	p.ExpectRequest(l, sip.ACK)
	return req
}

func (l *lab) tooSmall(p *sipnet.Peer, minSE string) *sip.Request {
	l.Helper()
	req := p.ExpectRequest(l, sip.INVITE)
	p.Reply(req, 422, "Session Interval Too Small", "Min-SE: "+minSE)
	p.ExpectRequest(l, sip.ACK)
	return req
}

// dial starts a call to the peer and returns how to cancel it and its outcome.
func (l *lab) dial(u *sipua.UA) (cancel func(), outcome chan error) {
	ctx, stop := context.WithCancel(context.Background())
	outcome = make(chan error, 1)
	go func() {
		_, err := u.TryURI(ctx, peerURI)
		outcome <- err
	}()
	return stop, outcome
}

// J-13: a CANCEL names the transaction that the INVITE is in by now, whatever
// came before; the call is cancelled and the application sees what it sees
// without timers.
func TestCancelReachesRetriedInvite(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(*lab, *sipnet.Peer)
	}{
		{"at once", func(*lab, *sipnet.Peer) {}},
		{"after 422", func(l *lab, p *sipnet.Peer) { l.tooSmall(p, "3600") }},
		{"after two 422", func(l *lab, p *sipnet.Peer) { l.tooSmall(p, "3600"); l.tooSmall(p, "4000") }},
		{"after 401", func(l *lab, p *sipnet.Peer) { l.challenge(p, 401) }},
		{"after 422 and 401", func(l *lab, p *sipnet.Peer) { l.tooSmall(p, "3600"); l.challenge(p, 401) }},
		{"after 401 and 422", func(l *lab, p *sipnet.Peer) { l.challenge(p, 401); l.tooSmall(p, "3600") }},
		{"after 407, 422 and 407", func(l *lab, p *sipnet.Peer) { l.challenge(p, 407); l.tooSmall(p, "3600"); l.challenge(p, 407) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				alice.Password = "secret"
				stop, outcome := l.dial(alice)
				c.before(l, p)
				invite := p.ExpectRequest(l, sip.INVITE)
				p.Reply(invite, 180, "Ringing")
				time.Sleep(5 * time.Second)
				stop()
				cancel := p.ExpectRequest(l, sip.CANCEL)
				if got, want := cancel.Via().Value(), invite.Via().Value(); got != want {
					l.Errorf("the CANCEL has Via %s, should have the last INVITE's %s", got, want)
				}
				if got, want := cancel.CSeq().SeqNo, invite.CSeq().SeqNo; got != want {
					l.Errorf("the CANCEL has CSeq %d, should have the last INVITE's %d", got, want)
				}
				if cancel.To().Params.Has("tag") {
					l.Errorf("the CANCEL has To %s, should have no tag as the INVITE", cancel.To().Value())
				}
				p.Reply(cancel, 200, "OK")
				p.Reply(invite, 487, "Request Terminated")
				p.ExpectRequest(l, sip.ACK)
				if err := <-outcome; !errors.Is(err, context.Canceled) {
					l.Errorf("the application gets %v, should get what sipgo gives for a cancelled call", err)
				}
				l.wantNothingLeft(alice)
			})
		})
	}
}

// RFC 3261 §9.1: while the retried INVITE has no provisional response, a CANCEL
// waits for one.
func TestCancelWaitsForProvisional(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		stop, outcome := l.dial(alice)
		first := p.ExpectRequest(l, sip.INVITE)
		p.Reply(first, 180, "Ringing")
		p.Reply(first, 422, "Session Interval Too Small", "Min-SE: 3600")
		p.ExpectRequest(l, sip.ACK)
		second := p.ExpectRequest(l, sip.INVITE)
		stop()
		synctest.Wait()
		if n := l.count(aliceAddr, "CANCEL"); n != 0 {
			l.Errorf("%d CANCELs before the second INVITE has a provisional response, should be none yet", n)
		}
		time.Sleep(100 * time.Millisecond)
		p.Reply(second, 180, "Ringing")
		cancel := p.ExpectRequest(l, sip.CANCEL)
		p.Reply(cancel, 200, "OK")
		p.Reply(second, 487, "Request Terminated")
		p.ExpectRequest(l, sip.ACK)
		if err := <-outcome; !errors.Is(err, context.Canceled) {
			l.Errorf("the application gets %v, should get what sipgo gives for a cancelled call", err)
		}
	})
}

// RFC 3262 §7.2: the RAck of a PRACK names its INVITE by the number on the wire,
// and the numbers after it go on.
func TestPrackNamesRetriedInvite(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		call, err := alice.Invite(context.Background(), peerURI)
		if err != nil {
			l.Fatalf("INVITE: %v", err)
		}
		rang := make(chan struct{})
		done := make(chan error, 1)
		go func() {
			done <- call.WaitAnswer(context.Background(), sipgo.AnswerOptions{OnResponse: func(res *sip.Response) error {
				if res.StatusCode == 180 {
					close(rang)
				}
				return nil
			}})
		}()
		l.tooSmall(p, "3600")
		invite := p.ExpectRequest(l, sip.INVITE)
		p.Reply(invite, 180, "Ringing", "Require: 100rel", "RSeq: 7")
		<-rang
		app := call.InviteRequest.CSeq().SeqNo
		go func() {
			prack := sip.NewRequest(sip.PRACK, peerURI)
			prack.AppendHeader(sip.NewHeader("RAck", fmt.Sprintf("7 %d INVITE", app)))
			if _, err := call.Do(context.Background(), prack); err != nil {
				t.Errorf("PRACK: %v", err)
			}
		}()
		prack := p.ExpectRequest(l, sip.PRACK)
		if got, want := field(prack, "RAck"), fmt.Sprintf("7 %d INVITE", invite.CSeq().SeqNo); got != want {
			l.Errorf("RAck is %q, should be %q as the INVITE on the wire", got, want)
		}
		if got, want := prack.CSeq().SeqNo, invite.CSeq().SeqNo+1; got != want {
			l.Errorf("the PRACK has CSeq %d, should have %d", got, want)
		}
		p.Reply(prack, 200, "OK")
		p.Reply(invite, 200, "OK", "Session-Expires: 3600;refresher=uac", "Allow: UPDATE")
		if err := <-done; err != nil {
			l.Fatalf("the call fails: %v", err)
		}
		go func() { _ = call.Ack(context.Background()) }()
		p.ExpectRequest(l, sip.ACK)
		l.at(1801 * time.Second)
		if update := p.ExpectRequest(l, sip.UPDATE); update.CSeq().SeqNo != prack.CSeq().SeqNo+1 {
			l.Errorf("the refresh has CSeq %d, should follow the PRACK's %d", update.CSeq().SeqNo, prack.CSeq().SeqNo)
		} else {
			p.Reply(update, 200, "OK", "Session-Expires: 3600;refresher=uac")
			synctest.Wait()
		}
	})
}

// updateWhileRinging has u ring, send an UPDATE, and answer when answer is closed.
func (l *lab) updateWhileRinging(u *sipua.UA) (answer chan struct{}) {
	answer = make(chan struct{})
	u.Accept = func(d *sipgo.DialogServerSession) {
		_ = d.Respond(180, "Ringing", nil)
		if _, err := u.Send(d, peerAddr, sip.UPDATE, ""); err != nil {
			l.Errorf("early UPDATE: %v", err)
		}
		<-answer
		_ = d.RespondSDP([]byte(u.SDP))
	}
	return answer
}

// J-05: a callee that sends an UPDATE while ringing loses neither its timer nor
// its numbering.
func TestEarlyUpdateOfCallee(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		answer := l.updateWhileRinging(bob)
		p.Invite(bob.Addr, "Supported: timer", "Session-Expires: 1800;refresher=uas", "Allow: UPDATE")
		p.ExpectResponse(l, 180)
		early := p.ExpectRequest(l, sip.UPDATE)
		p.Reply(early, 200, "OK")
		synctest.Wait()
		close(answer)
		ok := p.ExpectResponse(l, 200)
		p.Ack(ok)
		for i := range 2 {
			l.at(time.Duration(i+1) * 900 * time.Second)
			update := p.ExpectRequest(l, sip.UPDATE)
			if got, want := update.CSeq().SeqNo, early.CSeq().SeqNo+uint32(i)+1; got != want {
				l.Errorf("refresh %d has CSeq %d, should have %d", i+1, got, want)
			}
			p.Reply(update, 200, "OK", ours)
			synctest.Wait()
		}
		l.at(2000 * time.Second)
		go l.send(bob, bob.Answered(), peerAddr, sip.INVITE, hold)
		req := l.refreshed(p, sip.INVITE)
		if !strings.Contains(field(req, "Session-Expires"), "refresher=uac") {
			l.Errorf("D-06: the hold carries Session-Expires %q, should carry the timer in force", field(req, "Session-Expires"))
		}
	})
}

package middleware_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
)

var thirdURI = sip.Uri{Scheme: "sip", User: "third", Host: "10.0.0.8", Port: 5060}

// notify sends a NOTIFY from u within d; the peer answers with the status, or not at all if
// that is zero.
func notify(l *lab, u *sipua.UA, d sipua.Dialog, p *sipnet.Peer, status int) *sip.Request {
	l.Helper()
	go func() {
		req := sip.NewRequest(sip.NOTIFY, peerURI)
		req.AppendHeader(sip.NewHeader("Event", "refer"))
		_, _ = d.Do(context.Background(), req)
	}()
	req := p.ExpectRequest(l, sip.NOTIFY)
	if got := sipnet.Timers(req); got != "" || field(req, "Supported") != "timer" {
		l.Errorf("A-15 B-01: the NOTIFY says %q, Supported %q, want only the latter", got, field(req, "Supported"))
	}
	if status != 0 {
		p.Reply(req, status, "Well")
		synctest.Wait()
	}
	return req
}

// callsThird calls the third party, which accepts with the headers.
func callsThird(l *lab, u *sipua.UA, third *sipnet.Peer, headers []string, extra ...sip.Header) (*sipgo.DialogClientSession, *sip.Request) {
	l.Helper()
	type result struct {
		d   *sipgo.DialogClientSession
		err error
	}
	done := make(chan result, 1)
	go func() {
		d, err := u.TryURI(context.Background(), thirdURI, extra...)
		done <- result{d, err}
	}()
	invite := third.ExpectRequest(l, sip.INVITE)
	third.Reply(invite, 200, "OK", headers...)
	third.ExpectRequest(l, sip.ACK)
	r := <-done
	if r.err != nil {
		l.Fatalf("the call of the third party fails: %v", r.err)
	}
	synctest.Wait()
	return r.d, invite
}

// J-06, J-13: a blind transfer. The old call is refreshed while its NOTIFYs run, all in
// one CSeq sequence; the new call starts fresh, whatever the old one learnt.
func TestBlindTransfer(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p, third := l.alice(), l.peer(), l.net.Peer("10.0.0.8:5060")
		answersAll(alice, sip.REFER)
		old := l.callPeer(alice, p, allow, timerHeader, se1800)
		p.Request(sip.UPDATE, timerHeader, "Min-SE: 3600", "Session-Expires: 3600;refresher=uas")
		wantStatus(l, p, "the UPDATE", 200)
		l.at(1700 * time.Second)
		p.Request(sip.REFER, "Refer-To: <sip:third@10.0.0.8:5060>")
		p.ExpectResponse(l, 202)
		first := notify(l, alice, old, p, 200)
		next, invite := callsThird(l, alice, third, []string{allow, timerHeader, "Session-Expires: 600;refresher=uac"})
		if got := sipnet.Timers(invite); got != "Session-Expires: 1800" {
			l.Errorf("J-06: the new call asks for %q, want Session-Expires: 1800 and no more", got)
		}
		l.at(1800 * time.Second)
		update := p.ExpectRequest(l, sip.UPDATE)
		if got := sipnet.Timers(update); got != "Session-Expires: 3600;refresher=uac, Min-SE: 3600" {
			l.Errorf("J-06: the refresh of the old call says %q", got)
		}
		p.Reply(update, 200, "OK", "Session-Expires: 3600;refresher=uac")
		synctest.Wait()
		last := notify(l, alice, old, p, 200)
		if a, b, c := first.CSeq().SeqNo, update.CSeq().SeqNo, last.CSeq().SeqNo; b != a+1 || c != b+1 {
			l.Errorf("J-13: NOTIFY, UPDATE and NOTIFY have CSeq %d, %d, %d, want them in one row", a, b, c)
		}
		p.Request(sip.BYE) // the transferor is done
		wantStatus(l, p, "the BYE", 200)
		l.at(2000 * time.Second)
		third.Reply(third.ExpectRequest(l, sip.UPDATE), 200, "OK", "Session-Expires: 600;refresher=uac")
		synctest.Wait()
		l.wantSent(aliceAddr, sip.UPDATE, 1800*time.Second, 2000*time.Second)
		l.wantAlive("alice, to the third party,", next)
		l.wantEnded("alice, to the peer,", old)
		p.Quiet(l, 2*time.Hour)
	})
}

// J-07: an attended transfer. The replaced call is hung up and no longer refreshed; its
// replacement has the timer of its own 2xx.
func TestReplaces(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p, third := l.bob(), l.peer(), l.net.Peer("10.0.0.8:5060")
		old, res := l.peerCalls(p, bob, timerHeader, allow, "Session-Expires: 1800;refresher=uas")
		l.at(800 * time.Second)
		bob.Accept = func(d *sipgo.DialogServerSession) {
			_ = d.RespondSDP([]byte(bob.SDP))
			go func() { _ = old.Bye(context.Background()) }()
		}
		third.Invite(bob.Addr, timerHeader, allow, "Session-Expires: 600;refresher=uas",
			"Replaces: "+res.CallID().Value()+";to-tag="+res.To().Params.GetOr("tag", "")+";from-tag="+p.Tag())
		third.Ack(third.ExpectResponse(l, 200))
		p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
		synctest.Wait()
		l.wantEnded("bob, in the replaced call,", old)
		l.at(1100 * time.Second)
		third.Reply(third.ExpectRequest(l, sip.UPDATE), 200, "OK", "Session-Expires: 600;refresher=uac")
		synctest.Wait()
		l.wantSent(bobAddr, sip.UPDATE, 1100*time.Second)
		l.wantAlive("bob, in the new call,", bob.Answered())
		p.Quiet(l, 200*time.Second) // J-07: nothing in the replaced one
	})
}

// J-08: a subscription within the dialog is independent: a NOTIFY that gets no answer or
// a 481 ends no call and delays no refresh, and the BYE of an expired session ends no
// subscription.
func TestSubscriptionInDialog(t *testing.T) {
	t.Run("J-08 NOTIFY without an answer", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			d := l.callPeer(alice, p, allow, timerHeader, se1800)
			l.at(500 * time.Second)
			notify(l, alice, d, p, 481)
			l.at(899 * time.Second)
			notify(l, alice, d, p, 0) // still repeated when the refresh is due
			for {
				if req, ok := p.Recv(6 * time.Second); ok && sipnet.Label(req) == "UPDATE" {
					p.Reply(req.(*sip.Request), 200, "OK", se1800)
					break
				} else if !ok {
					l.Fatal("no refresh while a NOTIFY waits for its answer")
				}
			}
			synctest.Wait()
			if got := l.sent(aliceAddr, sip.UPDATE); len(got) != 1 || got[0] > 904*time.Second {
				l.Errorf("refreshed at %v, want once and by 904 s", got)
			}
			l.at(1700 * time.Second)
			l.wantAlive("alice", d)
			l.wantSent(aliceAddr, sip.BYE)
		})
	})
	t.Run("J-08 BYE while the subscription goes on", func(t *testing.T) {
		inLab(t, func(l *lab) {
			bob, p := l.bob(), l.peer()
			answersAll(bob, sip.NOTIFY)
			d, _ := l.peerCalls(p, bob, timerHeader, allow, se1800)
			l.at(1000 * time.Second)
			p.Request(sip.NOTIFY, "Event: refer")
			wantStatus(l, p, "the NOTIFY", 200)
			l.at(1768 * time.Second)
			p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
			synctest.Wait()
			l.wantEnded("bob", d)
			for _, at := range []time.Duration{1770, 1900, 3600} {
				l.at(at * time.Second)
				p.Request(sip.NOTIFY, "Event: refer")
				wantStatus(l, p, "a NOTIFY after the BYE", 200)
			}
			l.wantNothingLeft(bob)
		})
	})
}

package middleware_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// bothKept is a forked call of which the application keeps two dialogs, each with a
// timer of 90 s that we refresh.
func (l *lab) bothKept(method string) *forking {
	l.Helper()
	l.badPeer = true // two parties behind one address
	f := l.fork("Session-Expires: 90;refresher=uac", method)
	f.answer("second", "Session-Expires: 90;refresher=uac", method)
	f.ack("second")
	return f
}

// fromFork sends a request of the party with the tag.
func (f *forking) fromFork(tag string, method sip.RequestMethod, cseq int, headers, body string) {
	n := strconv.Itoa(cseq)
	f.peer.Send(aliceAddr, string(method)+" sip:alice@"+aliceAddr+" SIP/2.0\nVia: SIP/2.0/UDP "+peerAddr+";branch=z9hG4bK"+tag+n+
		"\nMax-Forwards: 70\nFrom: "+f.invite.To().Value()+";tag="+tag+"\nTo: "+f.invite.From().Value()+"\nCall-ID: "+f.invite.CallID().Value()+
		"\nCSeq: "+n+" "+string(method)+"\nContact: <sip:peer@"+peerAddr+">\n"+headers+"Content-Length: *\n\n"+body)
	synctest.Wait()
}

// C-23, D-17, D-19: what one party of a fork is waited for is nothing to the others:
// neither a refresh of ours, nor a request of the application, nor one of the party.
func TestForksWaitApart(t *testing.T) {
	for _, c := range []struct {
		name    string
		method  sip.RequestMethod // of our refreshes
		waiting func(f *forking)  // for the first party, from 44 s on
	}{
		{"UPDATE behind our UPDATE", sip.UPDATE, nil},
		{"re-INVITE behind our re-INVITE", sip.INVITE, nil},
		{"UPDATE behind the application's", sip.UPDATE, func(f *forking) {
			go func() { _, _ = f.call.Do(context.Background(), sip.NewRequest(sip.UPDATE, peerURI)) }()
		}},
		{"re-INVITE behind the application's", sip.INVITE, func(f *forking) {
			go func() { _, _ = f.call.Do(context.Background(), sip.NewRequest(sip.INVITE, peerURI)) }()
		}},
		{"UPDATE behind the application's INFO", sip.UPDATE, func(f *forking) {
			go func() { _, _ = f.call.Do(context.Background(), sip.NewRequest(sip.INFO, peerURI)) }()
		}},
		{"re-INVITE behind the party's own", sip.INVITE, func(f *forking) {
			f.alice.ReInvite = func(_ *sip.Request, tx sip.ServerTransaction) { <-tx.Done() }
			f.fromFork("first", sip.INVITE, 5000, "Content-Type: application/sdp\n", hold)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				f := l.bothKept(map[sip.RequestMethod]string{sip.UPDATE: allow, sip.INVITE: "Allow: INVITE"}[c.method])
				l.at(44 * time.Second)
				if c.waiting != nil {
					c.waiting(f)
				}
				l.at(45 * time.Second)
				if c.waiting == nil {
					f.wantTo("first", c.method, 45*time.Second)
				}
				f.wantTo("second", c.method, 45*time.Second)
			})
		})
	}
}

// C-23, E-36: the parties do not know of each other. What we wait for from one is no
// reason to refuse what another one offers.
func TestForksOfferApart(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.INVITE, sip.UPDATE} {
		inLab(t, func(l *lab) {
			f := l.bothKept("Allow: INVITE")
			f.alice.Server.OnUpdate(func(req *sip.Request, tx sip.ServerTransaction) {
				_ = tx.Respond(sip.NewSDPResponseFromRequest(req, []byte(f.alice.SDP)))
			})
			l.at(45 * time.Second)
			for range 2 { // that to the first party is not answered
				if re := f.expect(sip.INVITE, ""); toTag(re) == "second" {
					f.peer.Reply(re, 200, "OK")
				}
			}
			l.at(46 * time.Second)
			f.fromFork("second", method, 1, "Content-Type: application/sdp\n", hold)
			if n := l.count(aliceAddr, fmt.Sprintf("200 OK (%s)", method)); n != 1 {
				l.Errorf("alice accepts %d %ss of the second party while the first is waited for, should be 1", n, method)
			}
			f.fromFork("first", method, 1, "Content-Type: application/sdp\n", hold)
			if n := l.count(aliceAddr, fmt.Sprintf("491 Request Pending (%s)", method)); n != 1 {
				l.Errorf("alice answers 491 to %d %ss, should to that of the first party", n, method)
			}
		})
	}
}

// J-13: the numbers of a dialog have no gaps, whatever is sent in the
// others of the call.
func TestForksAreNumberedApart(t *testing.T) {
	inLab(t, func(l *lab) {
		f := l.bothKept(allow)
		for at := 45 * time.Second; at < 400*time.Second; at += 45 * time.Second {
			l.at(at)
			for range 2 {
				update := f.expect(sip.UPDATE, "")
				f.peer.Reply(update, 200, "OK", "Session-Expires: 90;refresher=uac")
			}
		}
		for _, tag := range []string{"first", "second"} {
			next := f.invite.CSeq().SeqNo
			for _, m := range l.requests(aliceAddr, "UPDATE") {
				if toTag(m.SIP) != tag {
					continue
				}
				if next++; m.SIP.CSeq().SeqNo != next {
					l.Errorf("an UPDATE to the %s party has CSeq %d, should have %d", tag, m.SIP.CSeq().SeqNo, next)
				}
			}
		}
	})
}

// oneTag makes the bridge call b as a proxy would: with the Call-ID of a's call, and
// from the tag that it has towards a.
func (br *bridge) oneTag() {
	br.Accept = func(legA *sipgo.DialogServerSession) {
		_ = legA.Respond(180, "Ringing", nil)
		from := legA.InviteResponse.To().AsFrom()
		legB, err := br.TryURI(legA.Context(), thirdURI, &from, sip.HeaderClone(legA.InviteRequest.CallID()))
		if err != nil {
			_ = legA.Respond(500, "Server Internal Error", nil)
			return
		}
		br.mu.Lock()
		br.legA, br.legB = legA, legB
		br.mu.Unlock()
		_ = legA.RespondSDP(legB.InviteResponse.Body())
	}
}

// J-16: two legs of one Call-ID and one tag have nothing else in common: neither what
// is waited for, nor numbers, policy or end.
func TestBridgeOfOneTag(t *testing.T) {
	t.Run("J-16 refreshes", func(t *testing.T) {
		inLab(t, func(l *lab) {
			br := l.bridge()
			br.oneTag()
			invite, _ := br.begin([]string{"Allow: INVITE, UPDATE", "Session-Expires: 90;refresher=uac"},
				timerHeader, allow, "Session-Expires: 90;refresher=uas", "CSeq: 7000 INVITE")
			if invite.CallID().Value() != br.legA.InviteRequest.CallID().Value() || br.legA.InviteResponse.To().Params.GetOr("tag", "") != invite.From().Params.GetOr("tag", "") {
				l.Fatal("the legs have nothing in common, should have Call-ID and tag")
			}
			if got, app := invite.CSeq().SeqNo, br.legB.InviteRequest.CSeq().SeqNo; got != app {
				l.Errorf("the INVITE to b has CSeq %d, should have the application's %d", got, app)
			}
			l.at(45 * time.Second)
			br.a.ExpectRequest(l, sip.UPDATE) // nobody answers
			update := br.b.ExpectRequest(l, sip.UPDATE)
			if got, want := update.CSeq().SeqNo, invite.CSeq().SeqNo+1; got != want {
				l.Errorf("the UPDATE to b has CSeq %d, should have %d", got, want)
			}
			br.b.Reply(update, 200, "OK", "Session-Expires: 90;refresher=uac")
			l.at(77 * time.Second)
			br.a.ExpectRequest(l, sip.INVITE)                       // nor that
			br.a.Reply(br.a.ExpectRequest(l, sip.BYE), 481, "Gone") // RFC 4028 §10
			l.at(90 * time.Second)
			l.wantEnded("leg A", br.legA)
			l.wantAlive("leg B", br.legB)
			br.b.Reply(br.b.ExpectRequest(l, sip.UPDATE), 200, "OK", "Session-Expires: 90;refresher=uac")
			br.b.Request(sip.BYE)
			wantStatus(l, br.b, "b's BYE", 200)
			l.wantNothingLeft(br.UA)
		})
	})
	t.Run("J-16 b answers while a rings", func(t *testing.T) {
		inLab(t, func(l *lab) {
			br := l.bridge()
			answer := make(chan struct{})
			br.Accept = func(legA *sipgo.DialogServerSession) {
				_ = legA.Respond(180, "Ringing", nil)
				from := legA.InviteResponse.To().AsFrom()
				_, _ = br.TryURI(legA.Context(), thirdURI, &from, sip.HeaderClone(legA.InviteRequest.CallID()))
				<-answer
				_ = legA.RespondSDP([]byte(br.SDP))
			}
			br.a.Invite(br.Addr, timerHeader, allow, "Session-Expires: 1800")
			br.b.Reply(br.b.ExpectRequest(l, sip.INVITE), 200, "OK", allow, "Session-Expires: 90;refresher=uac")
			br.b.ExpectRequest(l, sip.ACK)
			br.a.ExpectResponse(l, 180)
			l.at(10 * time.Second)
			br.a.Request(sip.UPDATE)
			wantStatus(l, br.a, "a's UPDATE while it rings", 200)
			br.b.Request(sip.BYE)
			wantStatus(l, br.b, "b's BYE", 200)
			l.at(100 * time.Second) // longer than a leg without a call is kept
			br.a.Request(sip.UPDATE)
			wantStatus(l, br.a, "a's UPDATE after b's BYE", 200)
			close(answer)
			br.a.Ack(br.a.ExpectResponse(l, 200))
			br.a.Request(sip.BYE)
			wantStatus(l, br.a, "a's BYE", 200)
			l.wantNothingLeft(br.UA)
		})
	})
	t.Run("J-16 b refuses", func(t *testing.T) {
		inLab(t, func(l *lab) {
			br := l.bridge()
			br.oneTag()
			br.a.Invite(br.Addr, timerHeader, allow)
			br.b.Reply(br.b.ExpectRequest(l, sip.INVITE), 486, "Busy Here")
			br.b.ExpectRequest(l, sip.ACK)
			br.a.Ack(br.a.ExpectResponse(l, 500))
			l.wantNothingLeft(br.UA)
		})
	})
	t.Run("J-16 a policy for each", func(t *testing.T) {
		inLab(t, func(l *lab) {
			var asked []bool
			br := l.bridge(middleware.WithPolicyFunc(func(_ *sip.Request, outgoing bool, base sessiontimer.Policy) sessiontimer.Policy {
				asked = append(asked, outgoing)
				if outgoing {
					base.SessionExpires = 600 * time.Second
				}
				return base
			}))
			br.oneTag()
			invite, _ := br.begin([]string{allow, "Session-Expires: 600;refresher=uac"}, timerHeader, allow, se1800)
			if got := sipnet.Timers(invite); got != "Session-Expires: 600" || !slices.Equal(asked, []bool{false, true}) {
				l.Errorf("the INVITE to b says %q, policies asked for %v (outgoing), should be 600 s and one for each leg", got, asked)
			}
			br.b.Request(sip.BYE)
			br.a.Request(sip.BYE)
			synctest.Wait()
		})
	})
}

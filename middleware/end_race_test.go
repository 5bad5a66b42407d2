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

	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const allow = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"

// refreshes are the two ways in which the peer lets us refresh.
var refreshes = []struct {
	method sip.RequestMethod
	allow  string
}{{sip.UPDATE, allow}, {sip.INVITE, "Allow: INVITE, ACK, BYE, CANCEL"}}

// An application that manages its dialogs itself with sipgo's DialogUA learns of the end
// through its own BYE handler.
func TestEndDialogUA(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, bob := l.alice(middleware.WithSessionExpires(90*time.Second)), l.bob()
		contact := sip.ContactHeader{Address: bobURI}
		ua := sipgo.DialogUA{Client: bob.Client, ContactHDR: contact}
		var mu sync.Mutex
		calls := make(map[string]*sipgo.DialogServerSession)
		bob.Server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
			d, err := ua.ReadInvite(req, tx)
			if err != nil {
				return
			}
			mu.Lock()
			calls[d.ID] = d
			mu.Unlock()
			_ = d.RespondSDP([]byte(bob.SDP))
		})
		find := func(req *sip.Request) *sipgo.DialogServerSession {
			id, _ := sip.DialogIDFromRequestUAS(req)
			mu.Lock()
			defer mu.Unlock()
			return calls[id]
		}
		bob.Server.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = find(req).ReadAck(req, tx) })
		bob.Server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = find(req).ReadBye(req, tx) })
		d := alice.Call(bob)
		if len(calls) != 1 {
			t.Fatalf("bob has %d calls, want one", len(calls))
		}
		l.net.Silence(aliceAddr)
		l.at(5 * time.Minute)
		for _, call := range calls {
			l.wantEnded("bob", call)
		}
		l.wantEnded("alice", d)
		l.wantNothingLeft(alice, bob)
	})
}

// A BYE of the peer that crosses ours is answered 200, not 481.
func TestEndByesCross(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		l.peerCalls(p, bob, "Supported: timer", "Session-Expires: 90;refresher=uac")
		l.at(59 * time.Second)
		ours := p.ExpectRequest(l, sip.BYE)
		p.Request(sip.BYE)
		if res := p.ExpectResponse(l, 200); res.CSeq().MethodName != sip.BYE {
			l.Errorf("the peer's crossing BYE got %s, want 200", res.StartLine())
		}
		p.Reply(ours, 200, "OK")
		synctest.Wait()
		l.wantEnded("bob", bob.Answered())
		l.wantNothingLeft(bob)
	})
}

// Trap12, F-25: a BYE of either side ends a refresh under way: no more of it is sent, and
// a late response does no harm.
func TestEndDuringRefresh(t *testing.T) {
	for _, r := range refreshes {
		for _, byUs := range []bool{true, false} {
			for _, provisional := range []bool{false, true} {
				t.Run(fmt.Sprintf("Trap12 %s byUs=%v provisional=%v", r.method, byUs, provisional), func(t *testing.T) {
					inLab(t, func(l *lab) {
						alice, p := l.alice(), l.peer()
						d := l.callPeer(alice, p, r.allow, "Session-Expires: 1800;refresher=uac")
						l.at(899 * time.Second)
						refresh := p.ExpectRequest(l, r.method)
						if provisional {
							p.Reply(refresh, 100, "Trying")
						}
						l.at(900*time.Second + 200*time.Millisecond)
						if byUs {
							go func() { _ = d.Bye(context.Background()) }()
							p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
						} else {
							p.Request(sip.BYE)
							p.ExpectResponse(l, 200)
						}
						synctest.Wait()
						l.wantEnded("alice", d)
						if n := l.count(aliceAddr, string(r.method)); r.method == sip.UPDATE && n != 1 {
							l.Errorf("the refresh was sent %d times, want once: the session is over", n)
						}
						p.Reply(refresh, 200, "OK", "Session-Expires: 1800;refresher=uac")
						synctest.Wait()
						if r.method == sip.INVITE {
							// RFC 3261 §13.2.2.4: also a late 2xx is acknowledged.
							p.ExpectRequest(l, sip.ACK)
						}
						before := len(l.net.Messages())
						l.wantNothingLeft(alice)
						if after := len(l.net.Messages()); after != before {
							l.Errorf("%d messages after the end, want none", after-before)
						}
					})
				})
			}
		}
	}
}

// D-25: a re-INVITE without a final response ends with the session.
func TestEndRefreshStuck(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		d := l.callPeer(alice, p, "Allow: INVITE", "Session-Expires: 180;refresher=uac")
		l.at(89 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.INVITE), 100, "Trying")
		l.at(181 * time.Second)
		l.wantSent(aliceAddr, sip.BYE, 180*time.Second)
		l.wantEnded("alice", d)
		l.wantNothingLeft(alice)
	})
}

// F-24: a refresh of the peer that is being answered when the hang-up is due saves the
// call.
func TestEndRacesWithPeersRefresh(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithAnswerReInvite(false)), l.peer()
		l.peerCalls(p, bob, "Supported: timer", "Session-Expires: 90;refresher=uac")
		d := bob.Answered()
		bob.Server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
			time.Sleep(5 * time.Second)
			res := sip.NewSDPResponseFromRequest(req, []byte(bob.SDP))
			res.AppendHeader(&sip.ContactHeader{Address: bobURI})
			_ = tx.Respond(res)
		})
		l.at(60*time.Second - 10*time.Millisecond)
		p.Request(sip.INVITE, "Supported: timer", "Session-Expires: 90;refresher=uac")
		p.Ack(p.ExpectResponse(l, 200))
		l.at(120 * time.Second)
		l.wantAlive("bob", d)
		l.wantSent(bobAddr, sip.BYE)
		l.at(126 * time.Second)
		l.wantSent(bobAddr, sip.BYE, 125*time.Second-10*time.Millisecond)
	})
}

// Trap13: the BYE that answers a challenge is numbered after the first one.
func TestEndByeChallenged(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, p := l.alice(), l.peer()
		d := l.callPeer(alice, p, allow, "Session-Expires: 1800;refresher=uac")
		l.at(899 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", "Session-Expires: 1800;refresher=uac")
		l.at(1000 * time.Second)
		bye := func() error { return d.Bye(context.Background()) }
		done := make(chan error, 1)
		go func() { done <- bye() }()
		first := p.ExpectRequest(l, sip.BYE)
		p.Reply(first, 401, "Unauthorized", `WWW-Authenticate: Digest realm="r", nonce="n"`)
		var refused sipgo.ErrDialogResponse
		if err := <-done; !errors.As(err, &refused) || refused.Res.StatusCode != 401 {
			l.Fatalf("Bye: %v, want 401", err)
		}
		l.at(1010 * time.Second)
		go func() { done <- bye() }()
		second := p.ExpectRequest(l, sip.BYE)
		p.Reply(second, 200, "OK")
		if err := <-done; err != nil {
			l.Errorf("second Bye: %v", err)
		}
		if a, b := first.CSeq().SeqNo, second.CSeq().SeqNo; b != a+1 {
			l.Errorf("the BYEs are numbered %d and %d, want one after the other", a, b)
		}
		l.wantNothingLeft(alice)
	})
}

// A BYE that the application challenges has not ended the session.
func TestEndIncomingByeChallenged(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		l.peerCalls(p, bob, "Supported: timer", allow, "Session-Expires: 1800;refresher=uas")
		challenge := true
		bob.Server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {
			if challenge {
				challenge = false
				_ = tx.Respond(sip.NewResponseFromRequest(req, 401, "Unauthorized", nil))
				return
			}
			_ = bob.Answered().ReadBye(req, tx)
		})
		p.Request(sip.BYE)
		p.ExpectResponse(l, 401)
		l.at(899 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", "Session-Expires: 1800;refresher=uac")
		p.Request(sip.BYE)
		p.ExpectResponse(l, 200)
		synctest.Wait()
		l.wantEnded("bob", bob.Answered())
		l.wantNothingLeft(bob)
	})
}

// A BYE handler that never returns blocks nothing else.
func TestEndBlockedHandler(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		carol := sipua.New(t, l.net, "carol", "10.0.0.3:5060", "udp")
		l.uas = append(l.uas, carol)
		release := make(chan struct{})
		defer close(release)
		bob.Server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { <-release })
		l.peerCalls(p, bob, "Supported: timer", "Session-Expires: 90;refresher=uac")
		d := bob.Call(carol)
		l.at(59 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
		l.at(2 * time.Hour)
		l.wantAlive("bob", d)
		l.wantSent(bobAddr, sip.BYE, 60*time.Second)
		if n := len(l.sent(bobAddr, sip.UPDATE)); n < 7 {
			l.Errorf("bob refreshed his other call %d times in two hours, want 7 or more", n)
		}
		if err := d.Bye(context.Background()); err != nil {
			l.Errorf("Bye of the other call: %v", err)
		}
		closed := make(chan struct{})
		go func() { _ = bob.Timers.Close(); close(closed) }()
		time.Sleep(time.Minute)
		select {
		case <-closed:
		default:
			l.Error("Close waits for the application's BYE handler, want it to return")
		}
	})
}

// An application that gives up its BYE has given up the call, which is no longer
// refreshed.
func TestEndByeGivenUp(t *testing.T) {
	inLab(t, func(l *lab) {
		alice, bob := l.alice(), l.bob()
		d := alice.Call(bob)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = d.Bye(ctx)
		l.wantNothingLeft(alice)
		l.at(time.Hour)
		l.wantSent(aliceAddr, sip.UPDATE)
	})
}

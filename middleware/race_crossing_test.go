package middleware_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A call that the application cancelled stays cancelled: there is no retry after a 422
// (C-14), and no timer for a 200 that crossed the CANCEL and is never acknowledged (C-23).
func TestCancelCrosses(t *testing.T) {
	t.Run("C-14 a 422", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			invite, cancelled, outcome := cancelRinging(l, alice, p)
			p.Reply(invite, 422, "Session Interval Too Small", "Min-SE: 3600")
			p.Reply(cancelled, 200, "OK")
			p.ExpectRequest(l, sip.ACK)
			<-outcome
			l.at(40 * time.Second)
			l.wantSent(aliceAddr, sip.INVITE, 0)
			l.at(200 * time.Second)
			l.wantNothingLeft(alice)
		})
	})
	t.Run("C-23 a 200", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			invite, cancelled, outcome := cancelRinging(l, alice, p)
			p.Reply(invite, 200, "OK", "Session-Expires: 1800;refresher=uac", allow)
			p.Reply(cancelled, 200, "OK")
			<-outcome
			l.at(2000 * time.Second)
			l.wantSent(aliceAddr, sip.UPDATE)
			l.wantNothingLeft(alice)
		})
	})
}

// J-13, C-14: a CANCEL at the moment of a 422 ends the call: either the INVITE is not
// sent again, or the CANCEL names the one that is.
func TestCancelRacesRetry(t *testing.T) {
	for range 200 {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			cancel, outcome := l.dial(alice)
			last := p.ExpectRequest(l, sip.INVITE)
			p.Reply(last, 180, "Ringing")
			synctest.Wait()
			p.Reply(last, 422, "Session Interval Too Small", "Min-SE: 3600")
			cancel()
			over := false
			for {
				msg, ok := p.Recv(time.Second)
				if !ok {
					break
				}
				switch req := msg.(*sip.Request); req.Method {
				case sip.INVITE:
					last, over = req, false
					p.Reply(req, 180, "Ringing")
				case sip.ACK:
					over = over || req.Via().Params.GetOr("branch", "") == last.Via().Params.GetOr("branch", "")
				case sip.CANCEL:
					p.Reply(req, 200, "OK")
					if req.CSeq().SeqNo == last.CSeq().SeqNo && !over {
						p.Reply(last, 487, "Request Terminated")
					}
				}
			}
			if !over {
				l.Errorf("INVITE %d still rings", last.CSeq().SeqNo)
			}
			<-outcome
		})
	}
}

// cancelRinging calls p and cancels while it rings.
func cancelRinging(l *lab, u *sipua.UA, p *sipnet.Peer) (invite, cancelled *sip.Request, outcome chan error) {
	l.Helper()
	cancel, outcome := l.dial(u)
	invite = p.ExpectRequest(l, sip.INVITE)
	p.Reply(invite, 180, "Ringing")
	time.Sleep(time.Second)
	cancel()
	return invite, p.ExpectRequest(l, sip.CANCEL), outcome
}

// C-23, E-36: the parties of a fork number their requests apart.
func TestForksNumberApart(t *testing.T) {
	inLab(t, func(l *lab) {
		l.badPeer = true // two parties behind one address
		f := l.fork("Session-Expires: 1800;refresher=uas")
		f.answer("second", "Session-Expires: 1800;refresher=uas")
		f.ack("second")
		update := func(tag string, cseq int) {
			n := strconv.Itoa(cseq)
			f.peer.Send(aliceAddr, "UPDATE sip:alice@"+aliceAddr+" SIP/2.0\nVia: SIP/2.0/UDP "+peerAddr+";branch=z9hG4bK"+tag+n+
				"\nFrom: "+f.invite.To().Value()+";tag="+tag+"\nTo: "+f.invite.From().Value()+"\nCall-ID: "+f.invite.CallID().Value()+
				"\nCSeq: "+n+" UPDATE\nContact: <sip:peer@"+peerAddr+">\nSupported: timer\nSession-Expires: 1800;refresher=uac\nContent-Length: *\n\n")
			synctest.Wait()
		}
		l.at(900 * time.Second)
		update("first", 5000)
		update("second", 1)
		l.at(905 * time.Second)
		if n := l.count(aliceAddr, "200 OK (UPDATE)"); n != 2 {
			l.Errorf("%d of the two parties' refreshes were accepted, want both", n)
		}
	})
}

// F-24: a 2xx has renewed the session, but because of a slow store the scheduler does not
// know it yet when the old session would have ended.
func TestNewsBehindSlowStore(t *testing.T) {
	inLab(t, func(l *lab) {
		registry := newFarRegistry()
		alice, p := l.alice(on(registry)), l.peer()
		d := l.callPeer(alice, p, "Session-Expires: 1800;refresher=uas", allow)
		l.at(1765 * time.Second)
		registry.fault.Store(&fault{delay: 1900 * time.Millisecond})
		go func() { _, _ = d.Do(context.Background(), sip.NewRequest(sip.UPDATE, peerURI)) }()
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", "Session-Expires: 1800;refresher=uas", "Require: timer")
		l.at(1775 * time.Second)
		l.wantSent(aliceAddr, sip.BYE)
		l.wantAlive("alice", d)
	})
}

// Neither side's refresh keeps up a dialog that the application has dropped without a BYE,
// and its BYE is sent as reliably as any other.
func TestDroppedDialog(t *testing.T) {
	dropped := middleware.Host{
		Bye:  func(*sip.Request, sip.ServerTransaction) {},
		Gone: func(dialogstore.Dialog) bool { return true },
	}
	t.Run("we refresh", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			l.callPeer(alice, p, "Session-Expires: 1800;refresher=uac", allow)
			alice.Timers.SetHost(dropped)
			l.at(950 * time.Second)
			l.wantSent(aliceAddr, sip.UPDATE)
			if n := l.count(aliceAddr, "BYE"); n < 5 {
				l.Errorf("the BYE that nobody answers was sent %d times, want it repeated for 32 s", n)
			}
		})
	})
	t.Run("the peer refreshes", func(t *testing.T) {
		inLab(t, func(l *lab) {
			alice, p := l.alice(), l.peer()
			l.callPeer(alice, p, "Session-Expires: 1800;refresher=uas", allow)
			alice.Timers.SetHost(dropped)
			l.at(900 * time.Second)
			p.Request(sip.UPDATE, "Supported: timer", "Session-Expires: 1800;refresher=uac")
			p.ExpectResponse(l, 481)
			l.at(1000 * time.Second)
			l.wantNothingLeft(alice)
		})
	})
}

// After Close no answer promises a refresh that would never be sent.
func TestCallAfterClose(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		if err := bob.Timers.Close(); err != nil {
			l.Fatal(err)
		}
		p.Invite(bob.Addr, "Supported: timer", "Session-Expires: 1800;refresher=uas")
		res := p.ExpectResponse(l, 200)
		p.Ack(res)
		if se := field(res, "Session-Expires"); se != "" {
			l.Errorf("answered with Session-Expires %q after Close, want none", se)
		}
		synctest.Wait()
		l.wantNothingLeft(bob)
	})
}

// Adapter.Handler(nil) answers nothing, and does not panic.
func TestHandlerOfNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		h := l.alice().Timers.Handler(nil)
		for _, method := range []sip.RequestMethod{sip.OPTIONS, sip.INFO, sip.INVITE, sip.ACK} {
			h(sip.NewRequest(method, peerURI), nil)
		}
	})
}

// Two dialogs of one INVITE are both ended after a restart if they are not refreshed
// (C-23).
func TestRestoreForks(t *testing.T) {
	inLab(t, func(l *lab) {
		registry := failover.NewMemory()
		alice, p := l.alice(on(registry)), l.peer()
		l.callPeer(alice, p, "Session-Expires: 1800;refresher=uas", allow)
		for d := range alice.Timers.Store().All(context.Background()) {
			d.RemoteTag += "2"
			d.RemoteURI += "2"
			if err := alice.Timers.Store().Create(context.Background(), d); err != nil {
				l.Fatal(err)
			}
			break
		}
		time.Sleep(time.Second)
		l.restart(alice, time.Second, on(registry))
		l.at(1900 * time.Second)
		if n := callsIn(l, registry); n != 0 {
			l.Errorf("%d dialogs are left that nobody refreshes, want none", n)
		}
	})
}

package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A node that leaves hands its calls over at once; one that only closes does not.
func TestLeaveHandsOver(t *testing.T) {
	for _, c := range []struct {
		name   string
		leaves bool
		taken  time.Duration // after its end, at the latest
		not    time.Duration // and at the earliest
	}{
		{"Leave", true, time.Second, 0},
		{"Close alone", false, takenBy, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a, b := l.alice(), l.bob()
				d := l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
				l.at(100 * time.Second)
				if c.leaves {
					if err := a.Timers.Leave(context.Background()); err != nil {
						l.Errorf("Leave: %v", err)
					}
				}
				if err := a.Timers.Close(); err != nil {
					l.Errorf("Close: %v", err)
				}
				l.at(100*time.Second + c.taken)
				_, at := first[sessiontimer.TakenOver](b)
				if after := at - 100*time.Second; after < c.not || after > c.taken {
					l.Errorf("taken over after %v, want between %v and %v", after, c.not, c.taken)
				}
				a.wantSaw(time.Second)
				l.wantAlive("alice", d)
				l.wantSent(aliceAddr, sip.BYE)
				l.at(900 * time.Second)
				l.answer(l.peer.ExpectRequest(l, sip.UPDATE), se1800)
				l.wantSent(aliceAddr, sip.UPDATE)
				l.wantSent(bobAddr, sip.UPDATE, 900*time.Second)
			})
		})
	}
}

// A peer's refresh that still comes to a node that has left is not accepted there: the node
// that has the call would not know, and hang up when the former session expires (J-27).
func TestRequestAfterLeave(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		t.Run(string(method), func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a, b := l.alice(), l.bob()
				d := l.callPeer(a.UA, l.peer, allow, timerHeader, "Session-Expires: 1800;refresher=uas")
				l.at(100 * time.Second)
				if err := a.Timers.Leave(context.Background()); err != nil {
					l.Errorf("Leave: %v", err)
				}
				l.at(1500 * time.Second)
				refresh := func(want int) {
					res := l.asks(method, timerHeader, "Session-Expires: 1800;refresher=uac", sipnet.SDP)
					if res.StatusCode != want || want == 500 && field(res, "Retry-After") == "" {
						l.Errorf("got %s, Retry-After %q, want %d", res.StartLine(), field(res, "Retry-After"), want)
					}
					if method == sip.INVITE {
						l.peer.Ack(res)
					}
				}
				refresh(500)
				l.wantAlive("alice", d)
				l.peer.Outbound = bobAddr
				refresh(200)
				l.at(1790 * time.Second)
				l.wantSent(bobAddr, sip.BYE)
				b.wantSaw(time.Second, "TakenOver", "Refreshed")
				l.peer.Outbound = aliceAddr
				if res := l.asks(sip.BYE); res.StatusCode != 200 {
					l.Errorf("the BYE got %s", res.StartLine())
				}
				l.wantEnded("alice", d)
			})
		})
	}
}

// What is not written yet is before the others may claim it.
func TestLeaveWritesFirst(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a, b := l.alice(), l.bob()
		l.at(10 * time.Second)
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800) // written at once
		l.asks(sip.UPDATE, timerHeader, "Session-Expires: 600;refresher=uas")
		if err := a.Timers.Leave(context.Background()); err != nil {
			l.Errorf("Leave: %v", err)
		}
		a.crash()
		l.at(11 * time.Second)
		b.wantSaw(0, "TakenOver")
		if e, _ := first[sessiontimer.TakenOver](b); e.Interval != 600*time.Second {
			l.Errorf("taken over with an interval of %v, want what was agreed on last", e.Interval)
		}
	})
}

// Without the registry there is nothing to hand over to: Leave says so in time, and the
// lease decides.
func TestLeaveOutOfReach(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a, b := l.alice(), l.bob()
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(100 * time.Second)
		a.cutOff()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := a.Timers.Leave(ctx); err == nil || l.net.Elapsed() > 103*time.Second {
			l.Errorf("Leave returned %v at %v", err, l.net.Elapsed())
		}
		if res := l.asks(sip.UPDATE, timerHeader, se1800); res.StatusCode != 500 {
			l.Errorf("the registry may have been told, but a refresh got %s", res.StartLine())
		}
		l.at(100*time.Second + takenBy)
		b.wantSaw(0, "TakenOver")
		_ = a.Timers.Close()
		if err := a.Timers.Leave(context.Background()); !errors.Is(err, middleware.ErrClosed) {
			l.Errorf("Leave after Close: %v", err)
		}
	})
}

// A refresh under way is given up; the node that takes the call over sends another one.
func TestLeaveDuringRefresh(t *testing.T) {
	for _, method := range []struct {
		sip.RequestMethod
		allow string
	}{{sip.UPDATE, allow}, {sip.INVITE, "Allow: INVITE"}} {
		t.Run(string(method.RequestMethod), func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a, b := l.alice(), l.bob()
				d := l.callPeer(a.UA, l.peer, method.allow, timerHeader, se1800)
				l.at(900 * time.Second)
				first := l.peer.ExpectRequest(l, method.RequestMethod)
				if err := a.Timers.Leave(context.Background()); err != nil {
					l.Errorf("Leave: %v", err)
				}
				if method.RequestMethod == sip.INVITE { // which the peer may still be answering
					l.peer.Reply(first, 491, "Request Pending")
					l.peer.ExpectRequest(l, sip.ACK)
				}
				second := l.answer(l.peer.ExpectRequest(l, method.RequestMethod), se1800)
				if second.Source() != bobAddr || second.CSeq().SeqNo != first.CSeq().SeqNo+1001 {
					l.Errorf("the next is from %s, CSeq %d after %d", second.Source(), second.CSeq().SeqNo, first.CSeq().SeqNo)
				}
				if at := l.net.Elapsed(); at > 901*time.Second {
					l.Errorf("it came at %v", at)
				}
				l.at(1000 * time.Second)
				l.wantAlive("alice", d)
				a.wantSaw(time.Second)
				b.wantSaw(0, "TakenOver", "Refreshed")
			})
		})
	}
}

// A BYE under way is not given up: the call has ended for the application, nobody takes
// it over, and the peer must learn of it.
func TestLeaveDuringBye(t *testing.T) {
	for _, challenged := range []bool{false, true} {
		t.Run(fmt.Sprintf("challenged=%v", challenged), func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a, b := l.node("alice", aliceAddr, nil, middleware.WithCredentials("lab", "alice", "secret")), l.bob()
				d := l.callPeer(a.UA, l.peer, allow, timerHeader, "Session-Expires: 1800;refresher=uas")
				l.net.Silence(peerAddr) // the first BYE is lost
				l.at(1768 * time.Second)
				l.wantSent(aliceAddr, sip.BYE, 1768*time.Second)
				l.net.Restore(peerAddr)
				if err := a.Timers.Leave(context.Background()); err != nil {
					l.Errorf("Leave: %v", err)
				}
				bye := l.peer.ExpectRequest(l, sip.BYE)
				if challenged {
					l.peer.Reply(bye, 401, "Unauthorized", `WWW-Authenticate: Digest realm="lab", nonce="n1", algorithm=MD5`)
					bye = l.peer.ExpectRequest(l, sip.BYE)
				}
				l.peer.Reply(bye, 200, "OK")
				l.at(1800 * time.Second)
				l.wantEnded("alice", d)
				a.wantSaw(time.Second, "Expired", "Ended")
				b.wantSaw(0)
				l.wantOwner("")
			})
		})
	}
}

// Leave asks no more of a registry that is slow than its context allows.
func TestLeaveSlowRegistry(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a, b := l.alice(), l.bob()
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(100 * time.Second)
		a.way.Set(failovertest.Always(failovertest.Fault{Reply: time.Second}))
		begun := l.net.Elapsed()
		if err := a.Timers.Leave(context.Background()); err != nil {
			l.Errorf("Leave: %v", err)
		}
		if took := l.net.Elapsed() - begun; took > 3*time.Second {
			l.Errorf("Leave took %v", took)
		}
		l.at(begun + 5*time.Second)
		b.wantSaw(0, "TakenOver")
	})
}

// Takeover End: the media ended with the node, and so does the call (RFC 3326; J-31).
func TestTakeoverEnds(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a, b := l.alice(), l.bob(failover.WithTakeover(failover.End), failover.WithAddress(bobAddr))
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		invite := l.requests(aliceAddr, "INVITE")[0].SIP.(*sip.Request)
		l.at(100 * time.Second)
		a.crash()
		bye := l.answer(l.peer.ExpectRequest(l, sip.BYE))
		if got, want := field(bye, "Reason"), `Q.850;cause=41;text="`; len(got) < len(want) || got[:len(want)] != want {
			l.Errorf("Reason %q, want %q…", got, want)
		}
		if at := l.net.Elapsed(); at > 100*time.Second+takenBy {
			l.Errorf("the BYE came at %v", at)
		}
		if got, want := bye.CSeq().SeqNo, invite.CSeq().SeqNo+1001; got != want {
			l.Errorf("CSeq %d, want %d", got, want)
		}
		b.wantSaw(0, "TakenOver", "Expired", "Ended")
		if e, _ := first[sessiontimer.Expired](b); e.Reason.Cause != sessiontimer.CauseTakenOver {
			l.Errorf("it ended for %v", e.Reason)
		}
		l.at(1800 * time.Second)
		l.wantSent(bobAddr, sip.UPDATE)
		l.wantNothingLeft(b.UA)
		l.wantOwner("")
	})
}

// A call that a takeover is to end goes on while the registry does not say whose it is, and
// ends as soon as it does.
func TestTakeoverEndsLater(t *testing.T) {
	inCluster(t, func(l *cluster) {
		var b *clusterNode
		a := l.alice()
		b = l.bob(failover.WithAddress(bobAddr), failover.WithTakeover(func(dialogstore.Dialog) failover.Decision {
			b.cutOff()
			time.Sleep(lease + time.Second) // its own lease is over by then
			return failover.Decision{End: true}
		}))
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(100 * time.Second)
		a.crash()
		l.at(130 * time.Second)
		b.wantSaw(0, "TakenOver")
		l.wantSent(bobAddr, sip.BYE)
		b.reconnect()
		l.answer(l.peer.ExpectRequest(l, sip.BYE))
		if at := l.net.Elapsed(); at > 135*time.Second {
			l.Errorf("the BYE came at %v", at)
		}
		l.wantNothingLeft(b.UA)
		l.wantOwner("")
	})
}

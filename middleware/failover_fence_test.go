package middleware_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
)

// deafTo keeps a node from the registry but for what it asks with the given methods, as
// if it had just gone on after it stood still.
func (n *clusterNode) deafTo(others ...string) {
	n.way.Set(func(method string) failovertest.Fault {
		for _, m := range others {
			if m == method {
				return failovertest.Fault{}
			}
		}
		return failovertest.Fault{Down: true}
	})
}

// wantLetGo checks that a node has let its call go without a word after that time: to the
// peer, and to the application, for which its dialog is as it was.
func (n *clusterNode) wantLetGo(after time.Duration, d dialog, to ...string) {
	n.c.Helper()
	synctest.Wait()
	for _, m := range n.c.net.Messages() {
		if m.From == n.Addr && m.At > after {
			n.c.Errorf("%s has sent at %v\n%s", n.Name, m.At, m.Raw)
		}
	}
	n.wantSaw(after, "Released")
	if e, _ := first[sessiontimer.Released](n); !slices.Contains(to, e.To) {
		n.c.Errorf("released to %q, want %q", e.To, to)
	}
	n.wantLogged("call released")
	n.c.wantAlive(n.Name, d)
	if _, watched, stored := n.Timers.Left(); watched+stored > 0 {
		n.c.Errorf("%s still has %d schedules and %d dialogs", n.Name, watched, stored)
	}
}

// The second fence: a node whose lease has run out asks before it sends, and lets go in
// silence what is another one's by then (J-29).
func TestLeaseFence(t *testing.T) {
	for _, c := range []struct {
		name   string
		timers string
		due    time.Duration // what the node would send
		method sip.RequestMethod
		to     []string // who has it when the node asks
	}{
		{"refresh", se1800, 900 * time.Second, sip.UPDATE, []string{"bob"}},
		{"hang-up", "Session-Expires: 1800;refresher=uas", 1768 * time.Second, sip.BYE, []string{"bob", ""}}, // which ends it just then
	} {
		t.Run(c.name, func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a, b := l.alice(), l.bob()
				d := l.callPeer(a.UA, l.peer, allow, timerHeader, c.timers)
				l.at(c.due - 10*time.Second)
				a.cutOff()
				l.at(c.due - time.Second)
				l.wantOwner("bob")
				a.deafTo("Owner")
				l.at(c.due + time.Second)
				a.wantLetGo(time.Second, d, c.to...)
				l.wantSent(bobAddr, c.method, c.due)
				a.reconnect()
				l.answer(l.peer.ExpectRequest(l, c.method), c.timers)
				l.at(c.due + time.Minute)
				a.wantSaw(time.Second, "Released")
				b.wantSaw(c.due-10*time.Second, map[sip.RequestMethod][]string{
					sip.UPDATE: {"TakenOver", "Refreshed"}, sip.BYE: {"TakenOver", "Expired", "Ended"}}[c.method]...)
			})
		})
	}
}

// The first fence: a node that comes back learns from the registry whose its calls are.
func TestRegistryFence(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a, b := l.alice(), l.bob()
		d := l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(100 * time.Second)
		a.cutOff()
		l.at(120 * time.Second)
		a.reconnect()
		l.at(130 * time.Second)
		a.wantLetGo(time.Second, d, "bob")
		b.wantSaw(0, "TakenOver")
		l.at(900 * time.Second)
		l.answer(l.peer.ExpectRequest(l, sip.UPDATE), se1800)
		l.wantSent(bobAddr, sip.UPDATE, 900*time.Second)
		l.wantSent(aliceAddr, sip.UPDATE)
		// The peer's requests and the application's are those of a call without timers.
		l.peer.Outbound = aliceAddr
		if res := l.asks(sip.BYE); res.StatusCode != 200 {
			l.Errorf("the application answered %s", res.StartLine())
		}
		l.wantEnded("alice", d)
		a.wantSaw(time.Second, "Released")
	})
}

// The third fence: a 500 to a refresh may say that somebody else has numbered higher
// (RFC 3261 §12.2.2; J-24, J-28).
func TestPeerFence(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a := l.alice()
		d := l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(899 * time.Second)
		thief := failover.Node{Name: "thief", Run: "1"}
		var claimed []failover.Claimed
		for call := range a.Timers.Store().All(t.Context()) {
			owner, _ := l.registry.Owner(context.Background(), []dialogstore.ID{call.ID})
			claimed, _ = l.registry.Claim(context.Background(), thief, owner[0].Owner, []failover.Key{{ID: call.ID, Epoch: 1}})
		}
		if len(claimed) != 1 || claimed[0].Err != nil {
			l.Fatalf("claimed: %v", claimed)
		}
		l.peer.Reply(l.peer.ExpectRequest(l, sip.UPDATE), 500, "Server Internal Error")
		now := l.net.Elapsed()
		l.at(1800 * time.Second)
		a.wantLetGo(now, d, "thief")
	})
}

// Refreshing fails open, hanging up fails closed: where the registry is out of reach
// another node may have the call, or nobody has (J-29).
func TestRegistryOutOfReach(t *testing.T) {
	const hungUpAt, expires = 1768 * time.Second, 1800 * time.Second
	refuse := func(status int) func(*cluster) {
		return func(l *cluster) { l.peer.Reply(l.peer.ExpectRequest(l, sip.UPDATE), status, "No") }
	}
	nothing := func(*cluster) {}
	for _, c := range []struct {
		name   string
		timers string
		down   bool
		peer   func(*cluster) // what it does at 900 s
		ends   time.Duration
	}{
		{"the peer does not refresh", "Session-Expires: 1800;refresher=uas", true, nothing, expires},
		{"the same, in reach", "Session-Expires: 1800;refresher=uas", false, nothing, hungUpAt},
		{"a refresh is not answered", se1800, true, nothing, expires},
		{"the same, in reach ", se1800, false, nothing, 932 * time.Second},
		{"a refresh is answered 481", se1800, true, refuse(481), 900 * time.Second},
		{"a refresh is answered 408", se1800, true, refuse(408), 900 * time.Second},
		{"a refresh is answered 404", se1800, true, refuse(404), expires},
		{"the same in reach", se1800, false, refuse(404), 900 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a := l.alice()
				d := l.callPeer(a.UA, l.peer, allow, timerHeader, c.timers)
				l.at(890 * time.Second)
				if c.down {
					a.cutOff()
				}
				l.at(900 * time.Second)
				if want := strings.Contains(c.timers, "uac"); (l.count(aliceAddr, "UPDATE") > 0) != want {
					l.Errorf("refreshed: %v, want %v", !want, want)
				}
				c.peer(l)
				if c.ends > 900*time.Second {
					l.at(c.ends - time.Second)
					l.wantSent(aliceAddr, sip.BYE)
					l.wantAlive("alice", d)
				}
				l.at(c.ends + 2*time.Second)
				if got := l.sent(aliceAddr, sip.BYE); len(got) == 0 || got[0] < c.ends || got[0] > c.ends+time.Second {
					l.Errorf("BYE at %v, want it at %v", got, c.ends)
				}
				l.wantEnded("alice", d)
			})
		})
	}
}

// A re-INVITE of the peer that was answered here and gets no ACK ends the call (RFC 3261
// §14.2), unless that may be another node's.
func TestNoAckOutOfReach(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a := l.alice()
		d := l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(100 * time.Second)
		a.cutOff()
		l.at(110 * time.Second)
		l.asks(sip.INVITE)
		l.at(200 * time.Second)
		l.wantSent(aliceAddr, sip.BYE)
		l.wantAlive("alice", d)
	})
}

// A node that has taken a call over and is refused with 500 may have numbered too low:
// it asks, and goes on far above, once. Any other 500 is an ordinary failure (J-28).
func TestJumpAfterRefusal(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a, b := l.alice(), l.bob()
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(100 * time.Second)
		a.crash()
		l.at(900 * time.Second)
		first := l.peer.ExpectRequest(l, sip.UPDATE)
		l.peer.Reply(first, 500, "Server Internal Error")
		second := l.peer.ExpectRequest(l, sip.UPDATE)
		if got, want := second.CSeq().SeqNo, first.CSeq().SeqNo+1<<16+1; got != want {
			l.Errorf("after the 500 CSeq %d, want %d", got, want)
		}
		if l.net.Elapsed() != 900*time.Second {
			l.Errorf("it came at %v", l.net.Elapsed())
		}
		l.answer(second, se1800)
		b.wantSaw(0, "TakenOver", "Refreshed")
		// The second 500 is one as any other.
		l.at(1800 * time.Second)
		third := l.peer.ExpectRequest(l, sip.UPDATE)
		l.peer.Reply(third, 500, "Server Internal Error")
		fourth := l.peer.ExpectRequest(l, sip.UPDATE)
		if got, want := fourth.CSeq().SeqNo, third.CSeq().SeqNo+1; got != want || l.net.Elapsed() == 1800*time.Second {
			l.Errorf("after another 500 CSeq %d at %v, want %d later", got, l.net.Elapsed(), want)
		}
		l.answer(fourth, se1800)
		b.wantSaw(0, "TakenOver", "Refreshed", "RefreshFailed", "Refreshed")
	})
}

// What began here has no former owner: a 500 says nothing of that (J-28).
func TestNoJumpInOwnCalls(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a := l.alice()
		l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(900 * time.Second)
		first := l.peer.ExpectRequest(l, sip.UPDATE)
		l.peer.Reply(first, 500, "Server Internal Error")
		second := l.peer.ExpectRequest(l, sip.UPDATE)
		if got, want := second.CSeq().SeqNo, first.CSeq().SeqNo+1; got != want {
			l.Errorf("after the 500 CSeq %d, want %d", got, want)
		}
		l.answer(second, se1800)
		a.wantSaw(time.Second, "RefreshFailed", "Refreshed")
	})
}

// A node that is cut off from the registry, but not from its peers, may send one more
// refresh: the peer refuses that, and what the node does then harms nobody (J-24).
func TestSplitNode(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a, b := l.alice(), l.bob(failover.WithAddress(bobAddr))
		d := l.callPeer(a.UA, l.peer, allow, timerHeader, se1800)
		l.at(890 * time.Second)
		a.cutOff()
		l.behind = aliceAddr
		highest := l.answer(l.peer.ExpectRequest(l, sip.UPDATE), se1800)
		if highest.Source() != bobAddr {
			l.Fatalf("the first request came from %s", highest.Source())
		}
		l.at(900 * time.Second)
		late := l.peer.ExpectRequest(l, sip.UPDATE)
		if late.Source() != aliceAddr || late.CSeq().SeqNo >= highest.CSeq().SeqNo {
			l.Errorf("the late refresh is from %s, CSeq %d after %d", late.Source(), late.CSeq().SeqNo, highest.CSeq().SeqNo)
		}
		l.peer.Reply(late, 500, "Server Internal Error")
		l.at(903 * time.Second)
		a.reconnect()
		now := l.net.Elapsed()
		l.at(910 * time.Second)
		a.wantLetGo(now, d, "bob")
		b.wantSaw(0, "TakenOver", "Refreshed")
	})
}

// The registry says that a call is ours, and does not answer again when the BYE is to leave:
// the call has ended here by then, so the peer is told (J-29).
func TestByeFollowsAnEnd(t *testing.T) {
	inCluster(t, func(l *cluster) {
		a := l.alice()
		d := l.callPeer(a.UA, l.peer, allow, timerHeader, "Session-Expires: 1800;refresher=uas")
		l.at(1700 * time.Second)
		var asked atomic.Int64
		a.way.Set(func(method string) failovertest.Fault {
			return failovertest.Fault{Down: method != "Owner" || asked.Add(1) > 1}
		})
		l.at(1768 * time.Second)
		l.wantSent(aliceAddr, sip.BYE, 1768*time.Second)
		l.answer(l.peer.ExpectRequest(l, sip.BYE))
		l.wantEnded("alice", d)
		if asked.Load() < 2 {
			l.Errorf("the registry was asked %d times", asked.Load())
		}
	})
}

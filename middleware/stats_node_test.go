package middleware_test

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// The number of calls follows a call from a node that is cut off to the one that takes it
// over, and to its end.
func TestStatsOfNodes(t *testing.T) {
	inLab(t, func(l *lab) {
		registry := failover.NewMemory()
		cut := failovertest.NewFaulty(registry)
		one := l.ua("one", bobAddr, middleware.WithFailover(cut, failover.WithName("one")), middleware.WithJitter(0))
		two := l.ua("two", aliceAddr, middleware.WithFailover(registry, failover.WithName("two")), middleware.WithJitter(0))
		p := l.peer()
		l.peerCalls(p, one, timerHeader, allow, "Session-Expires: 1800;refresher=uas")
		time.Sleep(30 * time.Second)
		s := one.Timers.Stats()
		if s.Dialogs.Local != 1 || s.Node == nil || s.Node.Nodes != 2 || s.Node.Owned != 1 || s.Node.Degraded || s.Node.Waiting != 0 {
			l.Errorf("before: %+v, node %+v, want one call, shared by two nodes", s.Dialogs, s.Node)
		}
		cut.Set(failovertest.Always(failovertest.Fault{Down: true}))
		time.Sleep(time.Minute)
		if s := one.Timers.Stats(); !s.Node.Degraded || s.Node.LeaseAge < 50*time.Second {
			l.Errorf("cut off: %+v, want no heartbeat for a minute", s.Node)
		}
		s = two.Timers.Stats()
		if s.Dialogs.Local != 1 || s.Node.Kept != 1 || s.Node.Delay.Count() != 1 || s.Incoming != (middleware.Negotiations{}) {
			l.Errorf("the taker: %+v, %+v, node %+v, want one call that was not negotiated here", s.Dialogs, s.Incoming, s.Node)
		}
		if c := only(l, two.Timers); c.From != "one" || c.Plan.Action != sessiontimer.Refresh {
			l.Errorf("the call is from %q, and next is %+v; want one, and a refresh", c.From, c.Plan)
		}
		cut.Set(nil)
		time.Sleep(time.Minute)
		s = one.Timers.Stats()
		if fenced := s.Node.FencedByRegistry + s.Node.FencedByLease + s.Node.FencedByPeer; s.Dialogs.Total() != 0 || s.Node.Owned != 0 || fenced != 1 {
			l.Errorf("back again: %+v, node %+v, want the call let go", s.Dialogs, s.Node)
		}
		l.at(899 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.UPDATE), 481, "Gone")
		l.at(902 * time.Second)
		if s := two.Timers.Stats(); s.Dialogs.Total() != 0 || s.Expired[sessiontimer.CauseRefreshAnswered] != 1 {
			l.Errorf("after the peer has denied the call: %+v, ended by cause: %v; want none, and one ended", s.Dialogs, s.Expired)
		}
	})
}

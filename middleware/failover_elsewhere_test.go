package middleware_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A peer that reaches a survivor before its call was taken over is told to try again:
// the survivor's application knows no such call, and its 481 would end it (J-26).
func TestRequestBeforeTakeover(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE, sip.INFO} {
		t.Run(string(method), func(t *testing.T) {
			inLab(t, func(l *lab) {
				registry := failover.NewMemory()
				node := func(name string) middleware.Option { return middleware.WithFailover(registry, failover.WithName(name)) }
				bob, p := l.bob(node("one")), l.peer()
				l.peerCalls(p, bob, timerHeader, allow, "Session-Expires: 1800;refresher=uac")
				time.Sleep(time.Second)
				var rows []dialogstore.Dialog
				for d := range bob.Timers.Store().All(t.Context()) {
					rows = append(rows, d)
				}
				// Another node gets the address of the one that dies.
				l.restart(bob, time.Second, node("two"))
				p.Request(method, timerHeader, "Session-Expires: 1800;refresher=uac")
				p.ExpectResponse(l, 500)
				time.Sleep(30 * time.Second) // two has watched for a lease, and taken over
				synctest.Wait()
				want := 200
				if method == sip.INFO {
					want = 405
				}
				p.Request(method, timerHeader, "Session-Expires: 1800;refresher=uac")
				p.ExpectResponse(l, want)
				if len(rows) != 1 || callsIn(l, registry) != 1 {
					l.Errorf("%d calls before, %d in the registry, want one", len(rows), callsIn(l, registry))
				}
			})
		})
	}
}

// A node that has let a call go is no judge of it: a peer that still sends its requests
// there is told to try again (J-26).
func TestRequestAfterRelease(t *testing.T) {
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE, sip.INFO} {
		t.Run(string(method), func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a, b := l.alice(), l.bob()
				l.callPeer(a.UA, l.peer, allow, timerHeader, "Session-Expires: 1800;refresher=uas")
				l.at(100 * time.Second)
				a.cutOff()
				l.at(100*time.Second + takenBy)
				b.wantSaw(0, "TakenOver")
				l.asks(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uac") // so that alice has a transaction of the call
				now := l.net.Elapsed()
				l.at(now + time.Second)
				a.reconnect()
				l.at(now + 10*time.Second)
				a.wantSaw(now+time.Second, "Released")
				for range 2 { // at once, and when no transaction of the call is left here
					res := l.asks(method, timerHeader, "Session-Expires: 1800;refresher=uac")
					if res.StatusCode != 500 {
						l.Errorf("got %s", res.StartLine())
					}
					if res.CSeq().MethodName == sip.INVITE {
						l.peer.Ack(res)
					}
					l.at(l.net.Elapsed() + time.Minute)
				}
				l.wantOwner("bob")
			})
		})
	}
}

// While the registry does not answer, nobody can say that a call is over: a refresh in one
// that is unknown is tried again. Other requests are not held up; they may belong to what
// only the application knows (J-26).
func TestRequestWithoutRegistry(t *testing.T) {
	for method, want := range map[sip.RequestMethod]int{sip.UPDATE: 500, sip.INVITE: 500, sip.INFO: 200, sip.BYE: 481} {
		t.Run(string(method), func(t *testing.T) {
			inCluster(t, func(l *cluster) {
				a := l.alice()
				l.callPeer(a.UA, l.peer, allow, timerHeader, "Session-Expires: 1800;refresher=uas")
				l.at(100 * time.Second)
				a.crash()
				l.net.Restore(aliceAddr)
				again := l.node("other", aliceAddr, nil)
				again.cutOff()
				ask := func(want int) {
					l.Helper()
					res := l.asks(method, timerHeader, "Session-Expires: 1800;refresher=uac")
					if res.StatusCode != want {
						l.Errorf("got %s, want %d", res.StartLine(), want)
					}
					if method == sip.INVITE {
						l.peer.Ack(res)
					}
				}
				ask(want)
				if method == sip.BYE {
					return
				}
				again.reconnect()
				l.at(120 * time.Second)
				ask(map[bool]int{true: 200, false: 405}[want == 500])
			})
		})
	}
}

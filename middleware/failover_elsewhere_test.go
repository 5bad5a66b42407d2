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
// the survivor's application knows no such call, and its 481 would end it.
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

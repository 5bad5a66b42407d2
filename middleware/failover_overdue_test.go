package middleware_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// F-27: a call that has expired, by what is stored, may have been refreshed while the registry
// was out of reach: the peer is asked before the call ends, once, and whoever refreshes.
func TestOverdueTakeover(t *testing.T) {
	for _, c := range []struct {
		name    string
		who     sessiontimer.Refresher
		answers []int // to UPDATE and re-INVITE; none for no answer
		ends    bool
	}{
		{"we refresh, it lives", sessiontimer.Local, []int{200}, false},
		{"the peer refreshes, it lives", sessiontimer.Peer, []int{200}, false},
		{"it knows no UPDATE, and lives", sessiontimer.Local, []int{501, 200}, false},
		{"it has no such call", sessiontimer.Local, []int{481}, true},
		{"it does not answer", sessiontimer.Local, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				alice, p := l.alice(), l.peer()
				l.callPeer(alice, p, allow, timerHeader, se1800)
				var rows []dialogstore.Dialog
				for d := range alice.Timers.Store().All(t.Context()) {
					d.Session.Refresher = c.who
					d.Session.Since = time.Now().Add(-50 * time.Minute)
					rows = append(rows, d)
				}
				l.restart(alice, time.Second, on(leftBehind(l, rows...)), middleware.WithJitter(0))
				for i, status := range c.answers {
					method := []sip.RequestMethod{sip.UPDATE, sip.INVITE}[i]
					p.Reply(p.ExpectRequest(l, method), status, "", timerHeader, se1800)
					if method == sip.INVITE {
						p.ExpectRequest(l, sip.ACK)
					}
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if ended := len(l.sent(aliceAddr, sip.BYE)) > 0; ended != c.ends {
					l.Errorf("the call ended: %v, want %v", ended, c.ends)
				}
				if c.answers != nil && len(l.requests(aliceAddr, "UPDATE")) != 1 {
					l.Errorf("%d UPDATEs, want one", len(l.requests(aliceAddr, "UPDATE")))
				}
			})
		})
	}
}

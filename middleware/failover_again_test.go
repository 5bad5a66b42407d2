package middleware_test

import (
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// A call that ended here and comes back at once, since the registry went back to the past,
// can end once more, though its last transactions are still remembered.
func TestTakenOverSoonAfterItsEnd(t *testing.T) {
	inLab(t, func(l *lab) {
		registry := failover.NewMemory()
		alice, p := l.alice(middleware.WithFailover(registry, failover.WithName("a"), failover.WithAddress(aliceAddr))), l.peer()
		l.peerCalls(p, alice, timerHeader, allow, "Session-Expires: 90;refresher=uas")
		l.at(20 * time.Second)
		back := registry.Snapshot()
		p.Request(sip.BYE)
		wantStatus(l, p, "the BYE", 200)
		l.at(22 * time.Second)
		back()
		update := p.ExpectRequest(l, sip.UPDATE)
		p.Reply(update, 481, "No Such Call")
		l.wantNothingLeft(alice)
	})
}

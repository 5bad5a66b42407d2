package ownership

import (
	"slices"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

func TestLateRefusal(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.node("a")
		id := a.calls(1)[0]
		l.pass(time.Second)
		former := a.Key(id)
		a.adopt(&gone{Node: them, moved: time.Now()}, []failover.Claimed{{Entry: failover.Entry{Epoch: 3, Dialog: call(id.CallID)}}})
		a.release(former, failover.Ownership{Owner: them, Epoch: 2}, ByRegistry)
		if len(a.letGo()) > 0 || a.Len() != 1 {
			t.Errorf("%d released", len(a.letGo()))
		}
	})
}

func TestUnclaimableCall(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		a.calls(3)
		b.way.set(func() { b.way.spoilt = "a-1" })
		l.pass(10 * time.Second)
		a.stop()
		l.pass(time.Minute)
		if got := sorted(b.names()); !slices.Equal(got, []string{"a-0", "a-2"}) {
			t.Errorf("adopted %v", got)
		}
		if n := len(b.way.requests("Claim")); n > 130 {
			t.Errorf("claimed %d times in a minute", n)
		}
		if b.logs.Count("cannot take over a call") == 0 {
			t.Error("nobody is told")
		}
	})
}

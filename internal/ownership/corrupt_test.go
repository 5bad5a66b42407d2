package ownership

import (
	"slices"
	"testing"
	"time"
)

// A stored state that does not parse is reported once and removed. It costs no other call.
func TestCorruptStateIsRefusedOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.node("a"), l.node("b")
		ids := a.calls(3)
		b.way.set(func() { b.way.torn = "a-1" })
		l.pass(10 * time.Second)
		a.stop()
		l.pass(time.Minute)
		if got := sorted(b.names()); !slices.Equal(got, []string{"a-0", "a-2"}) {
			t.Errorf("adopted %v, want all but the torn one", got)
		}
		if got := l.owner(ids[1]); got != "" {
			t.Errorf("the torn call is owned by %q, want it dropped", got)
		}
		if n := b.logs.Count("call_id=a-1"); n != 1 || b.Stats().Refused != 1 {
			t.Errorf("%d lines in the log, %d counted, want one of each", n, b.Stats().Refused)
		}
	})
}

package middleware_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// What an idle call takes more for having timers: what they keep of it, with the
// map entries and its share of the schedule, and the header fields in the
// messages that sipgo keeps until the call is over. The bounds are a little above
// what is measured.
func TestIdleCallMemory(t *testing.T) {
	idleCall(t, stock, stock) // what is kept for further calls is there from now on
	without := idleCall(t, stock, stock)
	for _, c := range []struct {
		name   string
		with   float64
		fields float64
		bound  float64
	}{
		{"caller", idleCall(t, hooked, stock), idleCall(t, fields, stock), 1000},
		{"callee", idleCall(t, stock, hooked), idleCall(t, stock, fields), 650},
	} {
		more := c.with - without
		t.Logf("%s: %.0f bytes a call, %.0f without timers: %.0f more, %.0f of them for header fields", c.name, c.with, without,
			more, c.fields-without)
		if more > c.bound {
			t.Errorf("%s: timers keep %.0f bytes of an idle call, want %.0f at most", c.name, more, c.bound)
		}
	}
}

// idleCall is the memory that both ends of a call take once its transactions are
// over.
func idleCall(t *testing.T, caller, callee end) (bytes float64) {
	const calls, busy = 2000, 100 // as many at a time, so that tables for timers and transactions stay small
	synctest.Test(t, func(t *testing.T) {
		alice, bob := pair(t, "udp", caller, callee)
		before := inUse()
		dialogs := make([]*sipgo.DialogClientSession, calls)
		for i := range dialogs {
			dialogs[i] = alice.establish(t, bob)
			if (i+1)%busy == 0 {
				time.Sleep(64*sip.T1 + 6*time.Second)
				synctest.Wait()
			}
		}
		bytes = float64(int64(inUse())-int64(before)) / calls
		for _, d := range dialogs {
			if err := d.Bye(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	return bytes
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

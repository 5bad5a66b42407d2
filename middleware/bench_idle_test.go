package middleware_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/fresh"
)

// The memory of the timers for an idle call, including map entries and its share of the
// schedule, but not their header fields in the messages that sipgo keeps until the call is
// over: the twin of that end writes the same fields.
func TestIdleCallMemory(t *testing.T) {
	if !fresh.Process(t) {
		return
	}
	const most = 512
	idleCall(t, stock, stock) // what is kept for further calls is there from now on
	for _, c := range []struct {
		name           string
		caller, callee end
	}{
		{"caller", hooked, fields},
		{"callee", fields, hooked},
	} {
		var kept float64
		for range 3 { // what tests before left may go meanwhile
			without, with := idleCall(t, fields, fields), idleCall(t, c.caller, c.callee)
			kept = with - without
			t.Logf("%s: %.0f bytes a call, %.0f without timers: %.0f more", c.name, with, without, kept)
			if kept <= most {
				break
			}
		}
		if kept > most {
			t.Errorf("%s: timers keep %.0f bytes of an idle call, want %d at most", c.name, kept, most)
		}
	}
}

// idleCall is the memory that both ends of a call take once its transactions are
// over.
func idleCall(t *testing.T, caller, callee end) (bytes float64) {
	const calls, busy = 2000, 100 // as many at a time, so that tables for timers and transactions stay small
	bubble.Test(t, func(t *testing.T) {
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

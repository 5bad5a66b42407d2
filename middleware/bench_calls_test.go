package middleware_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// BenchmarkCalls is a loop over all calls, of which none is due soon.
func BenchmarkCalls(b *testing.B) {
	for _, calls := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("calls=%d", calls), func(b *testing.B) {
			n := sipnet.New()
			b.Cleanup(n.Close)
			alice := newBenchUA(b, n, "alice", aliceAddr, "udp", hooked)
			for i := range calls {
				d := refreshedDialog(alice, i, sip.UPDATE)
				d.Session.RefreshAfter, d.Session.Since = 0, time.Now()
				if err := alice.timers.Store().Create(context.Background(), d); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				found := 0
				for range alice.timers.Calls(context.Background()) {
					found++
				}
				if found != calls {
					b.Fatalf("%d calls, want %d", found, calls)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*calls), "ns/call")
		})
	}
}

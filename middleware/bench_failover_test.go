package middleware_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// sharing are the options of an end that shares its calls.
func sharing(e end) []middleware.Option {
	var registry failover.Registry
	switch e {
	case hooked:
		return nil
	case shared:
		registry = failover.NewMemory()
	case distant:
		far := newFarRegistry()
		far.fault.Store(&fault{delay: 5 * time.Second})
		registry = far
	case written:
		registry = forgetful{failover.NewMemory()}
	}
	return []middleware.Option{middleware.WithFailover(registry)}
}

// forgetful is a registry whose calls take no memory of this process.
type forgetful struct{ *failover.Memory }

func (forgetful) Put(_ context.Context, _ failover.Node, entries []failover.Entry) ([]error, error) {
	return make([]error, len(entries)), nil
}

// sharers are ends with timers: alone, with a registry that answers at once, and with one
// that takes 5 s for each answer.
var sharers = []struct {
	name string
	end  end
}{{"none", hooked}, {"memory", shared}, {"distant", distant}}

// BenchmarkFailover is what a call costs more where it is shared: a whole call, an INFO
// within one, and a refresh. No message waits for the registry, however slow it is.
func BenchmarkFailover(b *testing.B) {
	for _, s := range sharers {
		b.Run("what=call/registry="+s.name, func(b *testing.B) {
			alice, bob := pair(b, "udp", s.end, s.end)
			b.ReportAllocs()
			for b.Loop() {
				alice.call(b, bob)
			}
		})
	}
	for _, s := range sharers {
		b.Run("what=info/registry="+s.name, func(b *testing.B) {
			message := sendInfo(b, s.end)
			b.ReportAllocs()
			for b.Loop() {
				message()
			}
		})
	}
	for _, method := range []sip.RequestMethod{sip.UPDATE, sip.INVITE} {
		for _, s := range sharers[:2] {
			b.Run(fmt.Sprintf("what=refresh-%s/registry=%s", strings.ToLower(string(method)), s.name), func(b *testing.B) {
				n := sipnet.New()
				n.StopRecording()
				b.Cleanup(n.Close)
				done := refresh(b, n, method, refresherOf(s.end))
				for range refreshed {
					<-done
				}
				b.ReportAllocs()
				for b.Loop() {
					<-done
				}
			})
		}
	}
}

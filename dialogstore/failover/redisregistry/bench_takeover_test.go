//go:build unix

package redisregistry_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/redisregistry"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// BenchmarkTakeover is how long it takes until all calls of a dead node are another one's,
// from the first call to the last: listed and claimed by hand, which is the speed of Redis;
// by a node that has the same address; and by one that tells each peer its own, with the
// default limit of 5000 requests in a second. Besides, what each call costs this process
// and Redis.
func BenchmarkTakeover(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		for _, by := range []string{"hand", "node", "node-telling"} {
			b.Run(fmt.Sprintf("calls=%d/by=%s", n, by), func(b *testing.B) {
				var sum bill
				for range b.N {
					sum.add(takeover(b, n, by))
				}
				b.ReportMetric(sum.took.Seconds()/float64(b.N), "s/takeover")
				b.ReportMetric(float64(sum.processor.Microseconds())/float64(b.N*n), "cpu-µs/call")
				b.ReportMetric(sum.server/float64(b.N*n), "server-µs/call")
				b.ReportMetric(sum.scripts/float64(b.N*n), "scripts/call")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// bill is what a takeover has cost.
type bill struct {
	took, processor time.Duration
	server, scripts float64
}

func (l *bill) add(o bill) {
	l.took += o.took
	l.processor += o.processor
	l.server += o.server
	l.scripts += o.scripts
}

// takeover has one node leave and another one take its calls over.
func takeover(b *testing.B, n int, by string) bill {
	s := startServer(b)
	defer s.kill()
	r := s.registry()
	mustBeat(b, r, alice)
	for batch := range batches(n, 500) {
		var entries []failover.Entry
		for i := batch[0]; i < batch[1]; i++ {
			entries = append(entries, failover.Entry{Epoch: 1, Dialog: toPeer(fmt.Sprintf("%08d@peer.example.net", i))})
		}
		mustPut(b, r, alice, entries...)
	}
	run := func() time.Duration { return claimAll(b, r, n) }
	if by != "hand" {
		count := &firstAndLast{awaited: n, last: make(chan time.Duration, 1), told: by == "node-telling"}
		defer taker(b, s, count)()
		run = func() time.Duration {
			if err := r.Leave(b.Context(), alice); err != nil {
				b.Fatal(err)
			}
			return <-count.last
		}
	}
	before := bill{0, processor(), s.processor(), s.scripts()}
	took := run()
	return bill{took, processor() - before.processor, s.processor() - before.server, s.scripts() - before.scripts}
}

// taker starts a node that takes over from alice when she leaves.
func taker(b *testing.B, s *server, count *firstAndLast) (stop func()) {
	n := sipnet.New()
	n.StopRecording()
	newPeer(b, n)
	opts := []failover.Option{failover.WithName(bob.Name)}
	if count.told {
		opts = append(opts, failover.WithAddress(nodeAddr))
	}
	timers := newTimers(b, n, middleware.WithFailover(s.registry(), opts...), middleware.WithEventHandler(count.event))
	eventually(b, "the taker knows the other node", func() bool { return timers.Stats().Node.Nodes == 2 })
	return func() {
		_ = timers.Close()
		n.Close()
	}
}

// claimAll takes calls over as a node does, and does nothing with them.
func claimAll(b *testing.B, r *redisregistry.Registry, n int) time.Duration {
	begun := time.Now()
	for claimed := 0; claimed < n; {
		held, err := r.Owned(b.Context(), alice, 1024)
		if err != nil {
			b.Fatal(err)
		}
		keys := make([]failover.Key, len(held))
		for i := range held {
			keys[i] = held[i].Key
		}
		for batch := range batches(len(keys), 200) {
			claimed += len(mustClaim(b, r, bob, alice, keys[batch[0]:batch[1]]...))
		}
	}
	return time.Since(begun)
}

// firstAndLast is the time between the first takeover and the last one, or the last peer
// that was told.
type firstAndLast struct {
	awaited int
	told    bool
	last    chan time.Duration

	mu    sync.Mutex
	seen  int
	first time.Time
}

func (f *firstAndLast) event(e sessiontimer.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, taken := e.(sessiontimer.TakenOver)
	_, refreshed := e.(sessiontimer.Refreshed)
	if taken && f.first.IsZero() {
		f.first = time.Now()
	}
	if taken && !f.told || refreshed && f.told {
		f.seen++
	}
	if f.seen == f.awaited {
		f.seen++
		f.last <- time.Since(f.first)
	}
}

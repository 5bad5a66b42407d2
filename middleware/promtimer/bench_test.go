package promtimer_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/inside"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// filled returns timers with calls that have nothing due for long.
func filled(t testing.TB, calls int) *middleware.Timers { return fill(t, newTimers(t), calls) }

func fill(t testing.TB, timers *middleware.Timers, calls int) *middleware.Timers {
	t.Helper()
	store := inside.StoreOf(timers)
	for i := range calls {
		d := dialogstore.Dialog{
			Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: fmt.Sprint("call-", i), LocalTag: "local", RemoteTag: "remote"}, Policy: sessiontimer.DefaultPolicy()},
			State:  dialogstore.State{Session: sessiontimer.Session{Interval: 24 * time.Hour, Refresher: sessiontimer.Local, Since: time.Now()}},
		}
		if err := store.Create(context.Background(), d); err != nil {
			t.Fatal(err)
		}
	}
	return timers
}

// shared returns such timers of a node of a cluster, when the registry has all of its calls.
func shared(t testing.TB, calls int) *middleware.Timers {
	t.Helper()
	timers := fill(t, newTimers(t, middleware.WithFailover(failover.NewMemory(), failover.WithName("one"))), calls)
	if _, err := timers.NewServer(); err != nil { // the node starts
		t.Fatal(err)
	}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for n := timers.Stats().Node; n.LeaseAge < 0 || n.Waiting > 0; n = timers.Stats().Node {
		<-look.C
	}
	return timers
}

// BenchmarkScrape is a scrape of a node, with and without other nodes to share calls with:
// counts are kept as calls come, change and go, and none is looked for.
func BenchmarkScrape(b *testing.B) {
	for _, calls := range []int{0, 1_000_000} {
		for _, with := range []string{"no", "yes"} {
			b.Run(fmt.Sprintf("calls=%d/failover=%s", calls, with), func(b *testing.B) {
				timers := filled
				if with == "yes" {
					timers = shared
				}
				r := prometheus.NewRegistry()
				r.MustRegister(collector(b, timers(b, calls)))
				runtime.GC() // of what made the calls
				b.ReportAllocs()
				for b.Loop() {
					if _, err := r.Gather(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// A scrape allocates as much with many calls as with none.
func TestScrapeAllocations(t *testing.T) {
	of := func(calls int) float64 {
		c := collector(t, filled(t, calls))
		r := prometheus.NewRegistry()
		r.MustRegister(c)
		return testing.AllocsPerRun(20, func() { _, _ = r.Gather() })
	}
	if none, many := of(0), of(20_000); many > none+2 {
		t.Errorf("%v allocations with 20,000 calls, %v with none", many, none)
	}
}

// refreshes has calls refreshed all the time, and returns where each refresh is told.
func refreshes(t testing.TB, registered bool) <-chan middleware.Notice {
	const calls, again, addr, peer = 500, 20 * time.Millisecond, "10.0.0.1:5060", "10.0.0.2:5060"
	n := sipnet.New()
	n.StopRecording()
	bob := userAgent(t)
	answers, err := sipgo.NewServer(bob)
	if err != nil {
		t.Fatal(err)
	}
	answers.OnUpdate(func(req *sip.Request, tx sip.ServerTransaction) {
		res := sip.NewResponseFromRequest(req, sip.StatusOK, "OK", nil)
		res.AppendHeader(sip.NewHeader("Contact", "<sip:bob@"+peer+">"))
		res.AppendHeader(sip.NewHeader("Session-Expires", "1800;refresher=uac"))
		_ = tx.Respond(res)
	})
	alice := userAgent(t)
	timers, err := middleware.New(alice, middleware.WithJitter(0), middleware.WithRefreshLimits(1_000_000_000, 64))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := timers.NewClient(sipgo.WithClientAddr(addr), sipgo.WithClientConnectionAddr(addr)); err != nil {
		t.Fatal(err)
	}
	server, err := timers.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.ServeUDP(n.PacketConn(addr)) }()
	go func() { _ = answers.ServeUDP(n.PacketConn(peer)) }()
	awaitServing(alice, addr)
	awaitServing(bob, peer)
	t.Cleanup(func() {
		_ = timers.Close()
		n.Close()
		_ = alice.Close()
		_ = bob.Close()
	})
	if registered {
		prometheus.NewRegistry().MustRegister(collector(t, timers))
	}
	events := timers.Subscribe(context.Background(), 1<<16)
	policy := sessiontimer.DefaultPolicy()
	policy.MaxInterval, policy.Method = 2*again, sessiontimer.MethodUpdate
	for i := range calls {
		d := dialogstore.Dialog{
			Origin: dialogstore.Origin{
				ID:         dialogstore.ID{CallID: fmt.Sprint("call-", i), LocalTag: "local", RemoteTag: "remote"},
				LocalURI:   "<sip:alice@10.0.0.1>;tag=local",
				RemoteURI:  "<sip:bob@10.0.0.2>;tag=remote",
				Transport:  "udp",
				OwnsCallID: true,
				Policy:     policy,
			},
			State: dialogstore.State{
				RemoteTarget: "sip:bob@" + peer,
				Contact:      "<sip:alice@" + addr + ">",
				LocalAddr:    addr,
				LocalCSeq:    1,
				PeerTimer:    true,
				PeerUpdate:   true,
				Session: sessiontimer.Session{Interval: 1800 * time.Second, Refresher: sessiontimer.Local, Since: time.Now(),
					RefreshAfter: again},
			},
		}
		if err := inside.StoreOf(timers).Create(context.Background(), d); err != nil {
			t.Fatal(err)
		}
	}
	return events
}

func userAgent(t testing.TB) *sipgo.UserAgent {
	t.Helper()
	ua, err := sipgo.NewUA(sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(sipua.Quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(sipua.Quiet)))
	if err != nil {
		t.Fatal(err)
	}
	return ua
}

// awaitServing waits until what is sent from addr goes to the network in memory.
func awaitServing(ua *sipgo.UserAgent, addr string) {
	for {
		if conn, err := ua.TransportLayer().GetConnection("udp", addr); err == nil {
			_, _ = conn.TryClose() // what GetConnection counted
			return
		}
		runtime.Gosched()
	}
}

// next waits for a refresh.
func next(t testing.TB, events <-chan middleware.Notice) {
	for n := range events {
		switch e := n.Event.(type) {
		case sessiontimer.Refreshed:
			return
		case sessiontimer.RefreshFailed:
			t.Fatalf("%+v", e)
		}
	}
}

// BenchmarkRefreshCounted is a refresh with and without a collector that nobody scrapes.
// What is counted of a refresh is counted with both: see BenchmarkCounting.
func BenchmarkRefreshCounted(b *testing.B) {
	for _, with := range []string{"no", "registered"} {
		b.Run("collector="+with, func(b *testing.B) {
			events := refreshes(b, with == "registered")
			for range 2000 {
				next(b, events)
			}
			b.ReportAllocs()
			for b.Loop() {
				next(b, events)
			}
		})
	}
}

func TestMain(m *testing.M) {
	sip.SetDefaultLogger(sipua.Quiet)
	m.Run()
}

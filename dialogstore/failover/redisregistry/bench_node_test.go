//go:build unix

package redisregistry_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// What failover costs a whole node, beside the same node without: time and processor of
// this process, with a peer that is cheap, and what Redis says of itself.

const (
	standing = 10_000 // calls
	atOnce   = 64     // requests under way
)

// stores are where the calls of a node are: in its memory, and in Redis besides.
var stores = []string{"memory", "redis"}

// BenchmarkNodeCall ends each of 10 thousand calls, and makes another one in its place:
// INVITE, 200 and ACK, and later BYE and 200.
func BenchmarkNodeCall(b *testing.B) {
	for _, store := range stores {
		b.Run("store="+store, func(b *testing.B) {
			n := network(b)
			p, node := newPeer(b, n), newNode(b, n, store)
			var id atomic.Int64
			begin := func() func() { return p.begin(fmt.Sprintf("%08d@peer.example.net", id.Add(1)), 1800) }
			ends := make(chan func(), standing+atOnce)
			many(standing, func() { ends <- begin() })
			node.measure(b, "call", func() {
				many(b.N*standing, func() {
					(<-ends)()
					ends <- begin()
				})
			})
		})
	}
}

// BenchmarkNodeRefresh refreshes each of 10 thousand calls by UPDATE, which takes half an
// interval of 20 s.
func BenchmarkNodeRefresh(b *testing.B) {
	const seconds = 20
	for _, store := range stores {
		b.Run("store="+store, func(b *testing.B) {
			n := network(b)
			p := newPeer(b, n)
			var refreshed, id atomic.Int64
			node := newNode(b, n, store, middleware.WithUnsafeIntervals(), middleware.WithMinSE(seconds*time.Second),
				middleware.WithEventHandler(func(e sessiontimer.Event) {
					if _, ok := e.(sessiontimer.Refreshed); ok {
						refreshed.Add(1)
					}
				}))
			many(standing, func() { p.begin(fmt.Sprintf("%08d@peer.example.net", id.Add(1)), seconds) })
			node.measure(b, "refresh", func() {
				for till := refreshed.Load() + int64(b.N*standing); refreshed.Load() < till; {
					time.Sleep(time.Millisecond)
				}
			})
		})
	}
}

func network(b *testing.B) *sipnet.Network {
	n := sipnet.New()
	n.StopRecording()
	b.Cleanup(n.Close)
	return n
}

// many calls do so many times, some at once.
func many(n int, do func()) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				do()
			}
		})
	}
	all.Wait()
}

// node is a user agent that answers calls, as sipgo's documentation has it.
type node struct {
	timers *middleware.Timers
	server *server // nil without failover
}

func newNode(b *testing.B, n *sipnet.Network, store string, opts ...middleware.Option) *node {
	b.Helper()
	u := &node{}
	if store == "redis" {
		u.server = startServer(b)
		opts = append(opts, middleware.WithFailover(u.server.registry(), failover.WithLease(2*time.Second)))
	}
	u.timers = newTimers(b, n, opts...)
	return u
}

// newTimers starts a user agent at nodeAddr.
func newTimers(b *testing.B, n *sipnet.Network, opts ...middleware.Option) *middleware.Timers {
	b.Helper()
	sip.SetDefaultLogger(sipua.Quiet)
	ua, _ := sipgo.NewUA()
	server, _ := sipgo.NewServer(ua)
	client, _ := sipgo.NewClient(ua, sipgo.WithClientAddr(nodeAddr), sipgo.WithClientConnectionAddr(nodeAddr))
	conn := n.PacketConn(nodeAddr)
	go func() { _ = server.ServeUDP(conn) }()
	for { // until it serves
		if c, err := ua.TransportLayer().GetConnection("udp", nodeAddr); err == nil {
			_, _ = c.TryClose()
			break
		}
		runtime.Gosched()
	}
	timers, err := middleware.New(ua, append(opts, middleware.WithLogger(sipua.Quiet))...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = timers.Close()
		_ = ua.Close()
	})
	handlers, err := timers.Attach(server, client)
	if err != nil {
		b.Fatal(err)
	}
	host, port, _ := sip.ParseAddr(nodeAddr)
	dialogs := sipgo.NewDialogServerCache(client, sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "node", Host: host, Port: port}})
	handlers.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		if d, err := dialogs.ReadInvite(req, tx); err == nil {
			_ = d.RespondSDP([]byte(sipnet.SDP))
		}
	})
	handlers.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = dialogs.ReadAck(req, tx) })
	handlers.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = dialogs.ReadBye(req, tx) })
	return timers
}

// written waits until the registry has everything.
func (u *node) written() {
	for u.server != nil && u.timers.Stats().Node.Waiting > 0 {
		time.Sleep(time.Millisecond)
	}
}

// measure reports what each of b.N times 10 thousand cost, with what is written of them.
func (u *node) measure(b *testing.B, unit string, run func()) {
	u.written()
	report := func(int, string) {}
	if u.server != nil {
		report = u.server.cost(b)
	}
	before, n := processor(), b.N*standing
	run()
	u.written()
	b.ReportMetric(float64((processor()-before).Microseconds())/float64(n), "cpu-µs/"+unit)
	report(n, unit)
	b.ReportMetric(0, "ns/op")
}

// processor is what this process has used of it.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

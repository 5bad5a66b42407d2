//go:build unix

package main

import (
	"context"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const (
	interval = 30 * time.Second // the callers give up 20 s after a refresh, the nodes refresh after 15
	perNode  = 40               // calls
)

// callers are the peers of all calls: a user agent with timers of its own, which ends
// a call that is not refreshed in time.
type callers struct {
	t      *testing.T
	timers *middleware.Timers
	dial   func(to string) error

	mu    sync.Mutex
	calls []*sipgo.DialogClientSession
	cut   []sessiontimer.Event // calls that ended before we hung up
	over  bool
}

func newCallers(t *testing.T) *callers {
	t.Helper()
	c := &callers{t: t}
	socket, err := phone.Open("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(socket.Close)
	ua, _ := sipgo.NewUA()
	t.Cleanup(func() { _ = ua.Close() })
	c.timers, err = middleware.New(ua, middleware.WithUnsafeIntervals(), middleware.WithMinSE(interval), middleware.WithSessionExpires(interval),
		middleware.WithRefresher(sessiontimer.Peer), middleware.WithEventHandler(c.event))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.timers.Close() })
	client, err := c.timers.NewClient(socket.ClientOptions("127.0.0.1:5060")...)
	if err != nil {
		t.Fatal(err)
	}
	server, err := c.timers.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	dialogs := sipgo.NewDialogClientCache(client, sip.ContactHeader{Address: socket.URI("caller", "127.0.0.1:5060")})
	server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) { phone.NoSuchCall(req, tx) })
	server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = dialogs.ReadBye(req, tx) })
	if err := socket.Serve(server.Server); err != nil {
		t.Fatal(err)
	}
	c.dial = func(to string) error {
		host, port, _ := net.SplitHostPort(to)
		n, _ := strconv.Atoi(port)
		d, err := dialogs.Invite(context.Background(), sip.Uri{User: "node", Host: host, Port: n}, phone.SDP("127.0.0.1"), sip.NewHeader("Content-Type", "application/sdp"))
		if err != nil {
			return err
		}
		if err := d.WaitAnswer(context.Background(), sipgo.AnswerOptions{}); err != nil {
			return err
		}
		if err := d.Ack(context.Background()); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.calls = append(c.calls, d)
		return nil
	}
	return c
}

func (c *callers) event(e sessiontimer.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ended := e.(sessiontimer.Ended); ended && !c.over {
		c.cut = append(c.cut, e)
	}
}

// wantAlive checks that no call was cut.
func (c *callers) wantAlive(after string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.cut {
		c.t.Errorf("after %s a call was cut: %+v", after, e)
	}
	c.cut = nil
}

// hangUp ends all calls, and counts those that their nodes do not know.
func (c *callers) hangUp() (unknown int) {
	c.mu.Lock()
	c.over = true
	calls := c.calls
	c.mu.Unlock()
	for _, d := range calls {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if d.Bye(ctx) != nil {
			unknown++
		}
		cancel()
	}
	return unknown
}

// Calls of three nodes outlive a node that is killed, one that stands still for longer
// than its lease, a registry that is paused, emptied, full and started again, and a rolling
// restart of all nodes: none is cut at its peer.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes of real time")
	}
	path := build(t)
	redisAddr, server := redisServer(t)
	registry := redis.NewClient(&redis.Options{Addr: redisAddr, MaxRetries: -1})
	defer func() { _ = registry.Close() }()
	nodes := make(map[string]*process)
	addrs := make(map[string]string)
	for _, name := range []string{"a", "b", "c"} {
		addrs[name] = freeUDP(t)
		nodes[name] = launch(t, name, path, "-listen", addrs[name], "-advertise", addrs[name], "-name", name, "-redis", redisAddr, "-lease", "2s",
			"-unsafe-intervals", "-min-se", "30s", "-session-expires", "30s", "-refresher", "local")
	}
	taken := func() (n int) {
		for _, p := range nodes {
			n += p.events("taken_over")
		}
		return n
	}
	time.Sleep(2 * time.Second) // they listen
	peers := newCallers(t)
	for range perNode {
		for _, name := range []string{"a", "b", "c"} {
			if err := peers.dial(addrs[name]); err != nil {
				t.Fatalf("cannot call %s: %v", name, err)
			}
		}
	}
	time.Sleep(4 * time.Second) // the nodes know each other, and the registry the calls
	all := 3 * perNode

	nodes["a"].end(syscall.SIGKILL)
	eventually(t, "b and c have the calls of a", func() bool { return taken() >= perNode })
	peers.wantAlive("a kill -9")

	nodes["b"].signal(syscall.SIGSTOP)
	eventually(t, "c has all calls", func() bool { return nodes["c"].events("taken_over") >= 2*perNode })
	nodes["b"].signal(syscall.SIGCONT)
	eventually(t, "b has let its calls go", func() bool { return nodes["b"].events("released") >= perNode })
	peers.wantAlive("a node that stood still")

	registry.Do(context.Background(), "CLIENT", "PAUSE", "5000")
	time.Sleep(8 * time.Second)
	registry.FlushAll(context.Background())
	time.Sleep(8 * time.Second)
	peers.wantAlive("a registry that was paused and emptied")

	registry.ConfigSet(context.Background(), "maxmemory", "1mb")
	time.Sleep(8 * time.Second)
	registry.ConfigSet(context.Background(), "maxmemory", "0")
	peers.wantAlive("a registry that was full")

	server.end(syscall.SIGTERM)
	time.Sleep(5 * time.Second)
	server.start()
	eventually(t, "redis-server listens again", func() bool { return answers(redisAddr) })
	time.Sleep(8 * time.Second)
	peers.wantAlive("a registry that was started again")

	nodes["a"].start()
	time.Sleep(4 * time.Second)
	for _, name := range []string{"c", "b", "a"} {
		before := taken()
		nodes[name].end(syscall.SIGTERM)
		nodes[name].start()
		time.Sleep(6 * time.Second)
		t.Logf("restart of %s: %d calls taken over", name, taken()-before)
		peers.wantAlive("a planned restart of " + name)
	}
	time.Sleep(interval)
	peers.wantAlive("an interval of peace")
	if unknown := peers.hangUp(); unknown > 0 {
		t.Errorf("%d of %d calls are unknown where their peers hang up", unknown, all)
	}
	t.Logf("%d calls, %d takeovers", all, taken())
}

//go:build unix

package main

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/redis/go-redis/v9"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
	"github.com/sipgo-contrib/sessiontimer/internal/freeport"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const (
	interval = 40 * time.Second // the peers give up 26.7 s after a refresh, the nodes refresh after 20
	lease    = 2 * time.Second
	own      = 56 // calls to each node, by this library
	others   = 32 // by SIPp
	doomed   = 12 // by a SIPp that is killed
	living   = 3 * (own + others)
	all      = living + 3*doomed
)

// callers are the peers of all calls: a user agent with timers of its own, which ends
// a call that is not refreshed in time.
type callers struct {
	t      *testing.T
	timers *middleware.Timers
	dial   func(to string) error

	mu        sync.Mutex
	calls     []*sipgo.DialogClientSession
	refreshed map[string]time.Time // the last time, by Call-ID
	cut       []sessiontimer.Event // calls that ended before we hung up
	over      bool
}

func newCallers(t *testing.T) *callers {
	t.Helper()
	c := &callers{t: t, refreshed: make(map[string]time.Time)}
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
	switch e.(type) {
	case sessiontimer.Negotiated, sessiontimer.Refreshed:
		c.refreshed[e.Info().CallID] = time.Now()
	case sessiontimer.Ended:
		if !c.over {
			c.cut = append(c.cut, e)
		}
	}
}

// refreshedSince reports whether each call was refreshed after a moment.
func (c *callers) refreshedSince(moment time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.refreshed {
		if at.Before(moment) {
			return false
		}
	}
	return len(c.refreshed) == len(c.calls)
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

// A cluster is three nodes, the registry that they share, and the peers of their calls.
type cluster struct {
	t        *testing.T
	nodes    map[string]*process
	addrs    map[string]string
	server   *process
	registry *redis.Client
	callers  *callers
	phones   *phones
}

var names = []string{"a", "b", "c"}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	need(t, "sipp", "sip-tester", ".ci/sipp")
	path := build(t)
	redisAddr, server := redisServer(t)
	c := &cluster{t: t, nodes: make(map[string]*process), addrs: make(map[string]string), server: server,
		registry: redis.NewClient(&redis.Options{Addr: redisAddr, MaxRetries: -1})}
	t.Cleanup(func() { _ = c.registry.Close() })
	var addrs []string
	for _, name := range names {
		addr := freeport.Addr(t)
		c.addrs[name], addrs = addr, append(addrs, addr)
		c.nodes[name] = launch(t, name, path, "-listen", addr, "-advertise", addr, "-name", name, "-redis", redisAddr, "-lease", lease.String(),
			"-unsafe-intervals", "-min-se", interval.String(), "-session-expires", interval.String(), "-refresher", "local", "-run-for", "10m")
	}
	for _, name := range names {
		eventually(t, name+" listens", c.nodes[name].listens)
	}
	c.callers, c.phones = newCallers(t), newPhones(t, others, addrs...)
	for range own {
		for _, name := range names {
			if err := c.callers.dial(c.addrs[name]); err != nil {
				t.Fatalf("cannot call %s: %v", name, err)
			}
		}
	}
	return c
}

// listens reports whether a node says so.
func (p *process) listens() bool { return strings.Contains(p.out.String(), "listening on") }

// wantAlive checks that no call was cut, neither by its node nor by its peer.
func (c *cluster) wantAlive(after string) {
	c.t.Helper()
	c.callers.wantAlive(after)
	c.phones.wantAlive(after)
}

// takeovers is how many there have been.
func (c *cluster) takeovers() (n int) {
	for _, p := range c.nodes {
		n += p.events("taken_over")
	}
	return n
}

// wantTaken checks how long after an event the calls of a node were refreshed by another
// one, as SIPp has seen it: a lease and a beat later, if the machine is not busy.
func (c *cluster) wantTaken(name, by string, event time.Time) {
	c.t.Helper()
	delays := taken(c.phones.calls(), c.addrs[name], event)
	if len(delays) < others {
		c.t.Errorf("%s: SIPp has seen %d takeovers, want %d or more", by, len(delays), others)
		return
	}
	last := delays[len(delays)-1]
	c.t.Logf("%s: SIPp was told of %d takeovers after %v (median), the last one after %v", by, len(delays), delays[len(delays)/2], last)
	if most := lease + lease/12 + busy; last > most {
		c.t.Errorf("%s: a call was taken over after %v, want %v at most", by, last, most)
	}
}

// busy is how late a machine may make a takeover.
const busy = 10 * time.Second

// owned is how many calls the registry has, of all runs of the nodes with that name.
func (c *cluster) owned(name string) (n int64) {
	c.t.Helper()
	ctx := context.Background()
	keys, err := c.registry.Keys(ctx, "*:owned:"+name+"/*").Result()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, key := range keys {
		n += c.registry.ZCard(ctx, key).Val()
	}
	return n
}

// Calls of three nodes, by this library and by SIPp, outlive a node that is killed, one that
// stands still for longer than its lease, a registry that is paused, emptied, full and
// started again, and a rolling restart of all nodes: none is cut, and what their peers
// accept has rising CSeqs. Calls whose peers are dead end when they expire.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes of real time")
	}
	c := newCluster(t)
	gone := newPhones(t, doomed, c.addrs["a"], c.addrs["b"], c.addrs["c"])
	eventually(t, "the registry has all calls", func() bool { return c.owned("*") == all })
	time.Sleep(2 * lease) // the nodes know each other
	ctx := context.Background()
	gone.end(syscall.SIGKILL)

	killed := time.Now()
	c.nodes["a"].end(syscall.SIGKILL)
	eventually(t, "b and c have the calls of a", func() bool { return c.owned("a") == 0 })
	eventually(t, "SIPp knows", func() bool { return len(taken(c.phones.calls(), c.addrs["a"], killed)) >= others })
	c.wantTaken("a", "kill -9", killed)
	c.wantAlive("a kill -9")

	stopped := time.Now()
	c.nodes["b"].signal(syscall.SIGSTOP)
	eventually(t, "c has all calls", func() bool { return c.owned("b") == 0 })
	eventually(t, "SIPp knows", func() bool { return len(taken(c.phones.calls(), c.addrs["b"], stopped)) >= others })
	c.wantTaken("b", "SIGSTOP", stopped)
	c.nodes["b"].signal(syscall.SIGCONT)
	eventually(t, "b has let its calls go", func() bool { return c.nodes["b"].events("released") >= own+others })
	c.wantAlive("a node that stood still")

	c.registry.Do(ctx, "CLIENT", "PAUSE", "5000")
	time.Sleep(8 * time.Second)
	c.registry.FlushAll(ctx)
	time.Sleep(8 * time.Second)
	c.wantAlive("a registry that was paused and emptied")

	c.registry.ConfigSet(ctx, "maxmemory", "1mb")
	time.Sleep(8 * time.Second)
	c.registry.ConfigSet(ctx, "maxmemory", "0")
	c.wantAlive("a registry that was full")

	c.server.end(syscall.SIGTERM)
	time.Sleep(5 * time.Second)
	c.server.start()
	eventually(t, "redis-server listens again", func() bool { return answers(c.registry.Options().Addr) })
	time.Sleep(8 * time.Second)
	c.wantAlive("a registry that was started again")

	c.nodes["a"].start()
	time.Sleep(2 * lease)
	for _, name := range []string{"c", "b", "a"} {
		before := c.takeovers()
		c.nodes[name].end(syscall.SIGTERM)
		c.nodes[name].start()
		time.Sleep(3 * lease)
		t.Logf("restart of %s: %d calls taken over", name, c.takeovers()-before)
		c.wantAlive("a planned restart of " + name)
	}
	restarted := time.Now()
	eventually(t, "all calls are refreshed again", func() bool {
		return c.callers.refreshedSince(restarted) && c.phones.refreshedSince(restarted)
	})
	c.wantAlive("an interval of peace")
	c.wantEnded(gone)
	eventually(t, "the registry has only the calls that live", func() bool { return c.owned("*") == living })
	if unknown := c.callers.hangUp() + c.phones.hangUp(); unknown > 0 {
		t.Errorf("%d calls are unknown where their peers hang up", unknown)
	}
	eventually(t, "the registry has no calls", func() bool { return c.owned("*") == 0 })
	t.Logf("%d calls, %d takeovers; SIPp has refused %d requests", all, c.takeovers(), c.phones.count("refused"))
}

// wantEnded checks that the calls of phones that are dead have ended when they expired
// (or 64*T1 later, since a BYE waits that long for its answer).
func (c *cluster) wantEnded(gone *phones) {
	c.t.Helper()
	ended := make(map[string]time.Time)
	for _, p := range c.nodes {
		for id, at := range p.ended() {
			ended[id] = at
		}
	}
	for id, rows := range gone.calls() {
		last := lastRefresh(rows)
		switch at, ok := ended[id]; {
		case !ok:
			c.t.Errorf("call %s is still up, %v after its peer was last heard", id, time.Since(last))
		case at.Sub(last) > interval+64*sip.T1+busy:
			c.t.Errorf("call %s has ended %v after its peer was last heard, want %v at most", id, at.Sub(last), interval+64*sip.T1)
		}
	}
}

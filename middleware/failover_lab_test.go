package middleware_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// cluster is a lab whose user agents share their calls: alice dies, others take over.
type cluster struct {
	*lab
	registry  *failover.Memory
	peer      *sipnet.Peer
	all       []*clusterNode
	transport string // of the nodes that are started from then on
}

// clusterNode is one of them, with its way to the registry and what it logs.
type clusterNode struct {
	*sipua.UA
	c    *cluster
	way  *failovertest.Faulty
	logs *transcript.Text
}

// lease is that of all nodes of a cluster, and takenBy the time until a dead node's call
// must be another one's.
const (
	lease   = failover.DefaultLease
	takenBy = lease + time.Second
)

// inCluster is inNodes with a peer that any of them may call.
func inCluster(t *testing.T, run func(c *cluster)) {
	t.Helper()
	inNodes(t, func(c *cluster) {
		c.peer = c.lab.peer()
		run(c)
	})
}

func inNodes(t *testing.T, run func(c *cluster)) {
	t.Helper()
	inLab(t, func(l *lab) {
		c := &cluster{lab: l, registry: failover.NewMemory(), transport: "udp"}
		defer func() {
			synctest.Wait()
			for _, n := range c.all {
				_ = n.Timers.Close()
				n.way.Wait()
			}
		}()
		run(c)
	})
}

// node starts a node; opts are its options of failover, and more others.
func (c *cluster) node(name, addr string, opts []failover.Option, more ...middleware.Option) *clusterNode {
	c.Helper()
	n := &clusterNode{c: c, way: failovertest.NewFaulty(c.registry), logs: new(transcript.Text)}
	opts = append([]failover.Option{failover.WithName(name)}, opts...)
	n.UA = sipua.New(c.T, c.net, name, addr, c.transport, append([]middleware.Option{middleware.WithLogger(slog.New(slog.NewTextHandler(n.logs, nil))),
		middleware.WithFailover(n.way, opts...)}, more...)...)
	c.uas, c.all = append(c.uas, n.UA), append(c.all, n)
	synctest.Wait()
	return n
}

func (c *cluster) alice(opts ...failover.Option) *clusterNode {
	return c.node("alice", aliceAddr, opts)
}

func (c *cluster) bob(opts ...failover.Option) *clusterNode { return c.node("bob", bobAddr, opts) }

// cutOff keeps a node from the registry; reconnect undoes it.
func (n *clusterNode) cutOff() { n.way.Set(failovertest.Always(failovertest.Fault{Down: true})) }

func (n *clusterNode) reconnect() { n.way.Set(nil) }

// crash ends the process of a node: nothing more of it reaches anybody.
func (n *clusterNode) crash() {
	n.cutOff()
	n.c.net.Silence(n.Addr)
	n.Kill()
	n.c.uas = slices.DeleteFunc(n.c.uas, func(u *sipua.UA) bool { return u == n.UA })
}

// saw are the events of the call at this node from the given time on.
func (n *clusterNode) saw(since time.Duration) []string {
	var out []string
	for _, e := range n.Events() {
		if e.At >= since {
			name := fmt.Sprintf("%T", e.Event)
			out = append(out, name[strings.LastIndexByte(name, '.')+1:])
		}
	}
	return out
}

func (n *clusterNode) wantSaw(since time.Duration, want ...string) {
	n.c.Helper()
	synctest.Wait()
	if got := n.saw(since); !slices.Equal(got, want) {
		n.c.Errorf("events at %s: %v, want %v", n.Name, got, want)
	}
}

// holds reports whether the node has the one call of the cluster.
func (n *clusterNode) holds() bool {
	for range n.Timers.Store().All(context.Background()) {
		return true
	}
	return false
}

// wantOwner checks who owns the one call of the cluster; nobody for an empty name.
func (c *cluster) wantOwner(name string) {
	c.Helper()
	synctest.Wait()
	var owners []string
	pulse, err := c.registry.Beat(context.Background(), failover.Node{Name: "auditor", Run: "1"})
	if err != nil {
		c.Fatal(err)
	}
	for _, b := range pulse.Nodes {
		if held, _ := c.registry.Owned(context.Background(), b.Node, 10); len(held) > 0 {
			owners = append(owners, b.Name)
		}
	}
	if got := strings.Join(owners, " and "); got != name {
		c.Errorf("the call is owned by %q, want %q", got, name)
	}
}

// answer answers a request of the peer's other end, an INVITE with an ACK to come.
func (c *cluster) answer(req *sip.Request, headers ...string) *sip.Request {
	c.Helper()
	c.peer.Reply(req, 200, "OK", headers...)
	if req.IsInvite() {
		c.peer.ExpectRequest(c, sip.ACK)
	}
	synctest.Wait()
	return req
}

// asks has the peer send a request, and returns the final response.
func (c *cluster) asks(method sip.RequestMethod, headers ...string) *sip.Response {
	c.Helper()
	c.peer.Request(method, headers...)
	for {
		msg, ok := c.peer.Recv(64 * sip.T1)
		if !ok {
			c.Fatalf("the peer's %s got no answer", method)
		}
		res, ok := msg.(*sip.Response)
		if !ok {
			c.Fatalf("the peer got %s, want an answer to its %s", sipnet.Label(msg), method)
		}
		if !res.IsProvisional() {
			return res
		}
	}
}

// wantLogged checks that a node has logged a line once, with the dialog's identifiers.
func (n *clusterNode) wantLogged(text string) {
	n.c.Helper()
	lines := n.logs.Lines(text)
	if len(lines) != 1 {
		n.c.Errorf("%s has logged %q %d times, want once:\n%s", n.Name, text, len(lines), n.logs.String())
		return
	}
	for _, key := range []string{"call_id=", "local_tag=", "remote_tag="} {
		if !strings.Contains(lines[0], key) {
			n.c.Errorf("%s has logged without %s: %s", n.Name, key, lines[0])
		}
	}
}

// first is the first event of a type at the node.
func first[E sessiontimer.Event](n *clusterNode) (event E, at time.Duration) {
	n.c.Helper()
	for _, e := range n.Events() {
		if event, ok := e.Event.(E); ok {
			return event, e.At
		}
	}
	n.c.Errorf("%s has no event %T", n.Name, event)
	return event, 0
}

package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
)

// world is one run in its bubble.
type world struct {
	*testing.T
	plan     Plan
	stack    Stack
	net      *sipnet.Network
	wire     *wire
	nodes    []*node
	peers    []*peer
	registry *registry // nil without failover

	shot chan *node // nodes that were killed so that another one could take their address

	eventsMu sync.Mutex
	events   map[string][]mark // by Call-ID

	fenced Fenced // only the conductor counts

	foundMu sync.Mutex
	found   []Violation
}

// Violation is a rule that does not hold.
type Violation struct {
	Rule string
	Text string
	Call *Call         // nil if the rule is not about a single call
	At   time.Duration // when it was noticed
}

// settling is how long a run continues after the last fault: then all sessions that nobody
// refreshes have expired, and their transactions are over.
const settling = 4000*time.Second + 2*timeout

// Run runs the plan of a seed, passes its figures on, and fails t for each rule that does not
// hold.
func Run(t *testing.T, stack Stack, seed uint64, figures func(Figures)) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld(t, stack, Draw(seed, stack.Nodes, stack.Peers, stack.Shared))
		w.run()
		figures(w.figures())
		w.report()
	})
}

// inspect is Run for runs with expected violations.
func inspect(t *testing.T, stack Stack, seed uint64, found func(Violation)) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld(t, stack, Draw(seed, stack.Nodes, stack.Peers, stack.Shared))
		w.run()
		for _, v := range w.found {
			found(v)
		}
	})
}

func (w *world) run() {
	w.conduct()
	w.judgeRest()
	w.judgeMemories()
	w.judge()
	w.end()
}

func newWorld(t *testing.T, stack Stack, plan Plan) *world {
	w := &world{T: t, plan: plan, stack: stack, net: sipnet.New(), events: make(map[string][]mark), shot: make(chan *node, 1000)}
	w.net.StopRecording()
	w.wire = &wire{w: w, random: rand.New(rand.NewPCG(plan.Seed, 2)), nodes: make(map[string]*node),
		tapes: make(map[string]*tape), cuts: make(map[path][]span), final: make(map[string]bool)}
	if stack.Shared {
		w.registry = newRegistry(w, plan.Seed)
	}
	for i := range plan.Nodes {
		n := &node{w: w, name: fmt.Sprintf("n%d", i), addr: fmt.Sprintf("127.0.1.%d:5060", i+1)}
		w.nodes = append(w.nodes, n)
		if stack.Common {
			n.addr = "127.0.1.1:5060"
			continue
		}
		w.wire.nodes[n.addr] = n
	}
	if stack.Common {
		w.net.Float(w.nodes[0].addr)
		// By that of a registry whose clock jumps, calls that are claimed are older or
		// younger than they are, which only a refresh at once would mend.
		w.plan.Faults = slices.DeleteFunc(w.plan.Faults, func(f Fault) bool { return f.Kind == RegistryJumped })
	}
	random := rand.New(rand.NewPCG(plan.Seed, 3))
	for i := range plan.Peers {
		p := newPeer(w, i, rand.New(rand.NewPCG(random.Uint64(), random.Uint64())))
		w.peers = append(w.peers, p)
		w.wire.tapes[p.addr] = &tape{}
	}
	w.net.SetFilter(w.wire.filter)
	return w
}

func (w *world) now() time.Duration { return w.net.Elapsed() }

// conduct runs the plan.
func (w *world) conduct() {
	for _, n := range w.nodes {
		n.start()
	}
	if w.stack.Common {
		w.move(w.nodes[0], 1)
	}
	for _, p := range w.peers {
		p.mu.Lock()
		p.live(spread(p.random, 10*time.Minute))
		p.mu.Unlock()
	}
	script := w.script()
	w.follow(&script, w.plan.Faulty)
	for _, p := range w.peers {
		p.rest()
	}
	w.follow(&script, w.now()+w.takenWithin()+lease)
	synctest.Wait()
	w.judgeOwners()
	w.follow(&script, w.now()+settling)
	synctest.Wait()
}

// follow performs the script until a moment. A node that was killed starts again soon.
func (w *world) follow(s *script, until time.Duration) {
	for {
		next := until
		if len(*s) > 0 {
			next = min(next, (*s)[0].at)
		}
		select {
		case n := <-w.shot:
			n.bury()
			s.add(w.now()+10*time.Second, func(*script) { n.start() })
			continue
		case <-time.After(next - w.now()):
		}
		if len(*s) == 0 || (*s)[0].at > until {
			return
		}
		s.next().do(s)
	}
}

// end hangs up all calls, and stops all nodes and peers. A remaining goroutine fails the
// bubble.
func (w *world) end() {
	for _, p := range w.peers {
		p.finish()
	}
	time.Sleep(3*timeout + failover.KeepDropped + time.Minute)
	synctest.Wait()
	w.judgeEnd(w.byID())
	for _, n := range w.nodes {
		w.fenced.count(n)
		n.cancel()
		_ = n.ua.Timers.Close()
	}
	if w.registry != nil {
		for _, l := range w.registry.links {
			l.Wait()
		}
	}
	synctest.Wait()
	w.net.Close()
	synctest.Wait()
	for _, n := range w.nodes {
		_ = n.ua.UA.Close()
	}
	synctest.Wait()
}

// anyNode returns a running node; nil if there is none.
func (w *world) anyNode(random *rand.Rand) *node {
	from := random.IntN(len(w.nodes))
	for i := range w.nodes {
		n := w.nodes[(from+i)%len(w.nodes)]
		if up, _ := n.state(); up && w.wire.has(n) {
			return n
		}
	}
	return nil
}

// hangUp makes the application that has the call hang it up.
func (w *world) hangUp(c *Call) bool {
	for _, n := range w.nodes {
		if n.hangUp(c.ID) {
			c.AppEnds = w.now()
			return true
		}
	}
	return false
}

// violated records that a rule did not hold at a moment.
func (w *world) violated(rule string, c *Call, at time.Duration, format string, args ...any) {
	w.foundMu.Lock()
	defer w.foundMu.Unlock()
	w.found = append(w.found, Violation{rule, fmt.Sprintf("at %.3f s ", at.Seconds()) + fmt.Sprintf(format, args...), c, at})
}

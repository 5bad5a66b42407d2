package ownership

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/workers"
)

// Config is what a Node works with. All fields must be set.
type Config struct {
	Registry failover.Registry
	Settings failover.Settings // of failover.Configure
	Host     Host
	Policy   sessiontimer.Policy // of calls taken over whose own makes no sense
	Logger   *slog.Logger
}

// Node is one node of a cluster, and its store. It implements dialogstore.Store. Any
// number of goroutines may call its methods at once.
type Node struct {
	*dialogstore.Memory // its Load and All
	cfg                 Config
	me                  failover.Node

	mu    sync.Mutex
	held  map[dialogstore.ID]holding // calls that are anything but ordinary
	marks marks                      // what is to be written to the registry

	lease    lease
	trouble  trouble
	places   places
	confirms confirms
	sweeps   sweeps
	seen     atomic.Pointer[view] // the others as of the latest good beat; nil before the first
	stats    counters

	work    chan struct{} // there is something to write
	drained chan struct{} // there was nothing to write
	looked  chan struct{} // there is a newer view
	resumed chan struct{} // closed when all that earlier runs owned is ours

	started atomic.Bool
	serving atomic.Bool // requests may be sent: neither left nor closed
	over    atomic.Bool // nothing more is written
	ctx     context.Context
	cancel  context.CancelFunc
	alive   context.Context // of beats and claims; ends before ctx where calls are handed over
	die     context.CancelFunc
	member  workers.Crew // those that end with alive
	crew    workers.Crew // those that end with ctx
}

// New makes a node. Nothing is sent to the registry before Start, but what is stored
// is remembered for it.
func New(cfg Config) *Node {
	n := &Node{
		Memory:  dialogstore.NewMemory(),
		cfg:     cfg,
		me:      failover.Node{Name: cfg.Settings.Name, Run: rand.Text()},
		held:    make(map[dialogstore.ID]holding),
		marks:   newMarks(),
		places:  make(places, mostAsked),
		work:    make(chan struct{}, 1),
		drained: make(chan struct{}, 1),
		looked:  make(chan struct{}, 1),
		resumed: make(chan struct{}),
	}
	n.lease.length = cfg.Settings.Lease
	n.trouble.log, n.trouble.quiet = cfg.Logger, cfg.Settings.Lease
	n.confirms.places = make(places, mostConfirms)
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.alive, n.die = context.WithCancel(n.ctx)
	n.serving.Store(true)
	return n
}

// Start begins to beat, to write behind and to watch the others. Call it once, when
// the Host can take calls over. What was stored before is written now.
func (n *Node) Start() {
	n.started.Store(true)
	n.crew.Go(n.writeBehind)
	n.member.Go(n.beats)
	n.member.Go(n.claims)
}

// Me names this run of the node.
func (n *Node) Me() failover.Node { return n.me }

// Settings are those that the node was made with.
func (n *Node) Settings() failover.Settings { return n.cfg.Settings }

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// poke tells a goroutine that waits for c, now or the next time.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

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

// Config is the configuration of a Node. All fields must be set.
type Config struct {
	Registry failover.Registry
	Settings failover.Settings // from failover.Configure
	Host     Host
	Policy   sessiontimer.Policy // for calls taken over whose own policy is invalid
	Logger   *slog.Logger
	// Usable returns why no request may be made from a stored dialog; nil if one may.
	Usable func(*dialogstore.Dialog) error
}

// Node is one node of a cluster. It implements dialogstore.Store. Its methods may be called
// concurrently.
type Node struct {
	*dialogstore.Memory // for Load and All
	cfg                 Config
	me                  failover.Node

	mu    sync.Mutex
	held  map[dialogstore.ID]holding // without zero holdings
	marks marks                      // calls to be written to the registry

	lease    lease
	trouble  trouble
	places   places
	confirms confirms
	sweeps   sweeps
	turns    turns
	seen     atomic.Pointer[view] // the other nodes at the latest good beat; nil before the first
	stats    counters

	work    chan struct{} // wakes the writer: there is something to write
	drained chan struct{} // wakes drain: there was nothing left to write
	looked  chan struct{} // wakes the claimer: there is a newer view
	resumed chan struct{} // closed when all calls of earlier runs are ours

	started atomic.Bool
	serving atomic.Bool // requests may be sent: the node has neither left nor closed
	left    atomic.Bool // see Left
	over    atomic.Bool // nothing is written any more
	ctx     context.Context
	cancel  context.CancelFunc
	alive   context.Context // of beats and claims; Leave ends it before ctx
	die     context.CancelFunc
	member  workers.Crew // goroutines that end with alive
	crew    workers.Crew // goroutines that end with ctx
}

// New returns a node. It does not call the registry before Start, but notes the changes to
// be written.
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

// Start starts to beat, to write and to watch the other nodes. Call it once, when the Host
// is ready to take calls over.
func (n *Node) Start() {
	n.started.Store(true)
	n.crew.Go(n.writeBehind)
	n.member.Go(n.beats)
	n.member.Go(n.claims)
}

// pause waits for d. It returns false if ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// poke wakes the goroutine that waits for c, now or when it waits next.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

package ownership

import (
	"context"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/stall"
)

// beater says that this node lives, as often as the settings have it, and looks at the
// others. It is one goroutine's.
type beater struct {
	*Node
	watch  *watch
	stalls stall.Watch
	due    time.Time // when the next beat is
	before time.Time // when the last one was
	swept  time.Time // when all calls were written again last
}

func (n *Node) beats() {
	b := beater{Node: n, watch: newWatch(n.me, n.cfg.Settings.Lease), swept: time.Now()}
	for {
		b.once(time.Now())
		if !pause(n.alive, time.Until(b.due)) {
			return
		}
	}
}

func (b *beater) once(now time.Time) {
	b.stalls.Look(b.due, now)
	if b.stalls.Since(b.before) {
		b.watch.interrupt()
	}
	b.beat(now)
	b.before, b.due = now, now.Add(b.cfg.Settings.Beat)
	if missed := b.watch.next(); missed.After(now) && missed.Before(b.due) {
		b.due = missed
	}
	if answered := time.Now(); b.due.Before(answered) {
		b.due = answered // a slow answer is no stall
	}
}

func (b *beater) beat(sent time.Time) {
	// Whoever waits longer than half a lease cannot tell a registry that stood still
	// from nodes that did.
	pulse, err := ask(b.alive, b.Node, b.places, b.cfg.Settings.Lease/2, func(ctx context.Context) (failover.Pulse, error) {
		return b.cfg.Registry.Beat(ctx, b.me)
	})
	if b.alive.Err() != nil {
		return
	}
	answered := time.Now()
	if err != nil {
		b.watch.interrupt()
		b.trouble.begin(answered, err)
		return
	}
	v, news := b.watch.pulse(sent, answered, pulse)
	b.heed(news, answered)
	b.seen.Store(v)
	b.lease.renew(sent) // from now on v may be acted on
	b.trouble.pass(answered)
	b.confirms.answered()
	b.stats.nodes.Store(int64(len(v.others) + 1))
	poke(b.looked)
	poke(b.work) // what could not be written may be by now
}

// heed does what a pulse asks of this node.
func (b *beater) heed(news news, now time.Time) {
	if news.twin {
		b.cfg.Logger.Error("another process has the name of this node, and takes its calls", "node", b.me.Name)
	}
	if news.buried {
		b.cfg.Logger.Warn("other nodes have taken this one for dead, asking which calls are still its own", "node", b.me.Name)
	}
	switch {
	case news.buried, news.twin:
		b.lease.suspect.Store(true)
		// What is being claimed right now is not refused yet.
		b.writeAll(now.Add(b.patience()))
	case news.emptied:
		b.cfg.Logger.Warn("the registry has lost what was written, writing all calls again", "node", b.me.Name)
		b.writeAll(now)
		b.trouble.over.Add(1) // what has ended since may be back: see orphans
	case now.Sub(b.swept) >= sweepEvery:
		b.writeAll(now)
	default:
		return
	}
	b.swept = now
}

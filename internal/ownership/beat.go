package ownership

import (
	"context"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/stall"
)

// beater sends the heartbeats of this node and watches the others. It is used by one
// goroutine.
type beater struct {
	*Node
	watch  *watch
	stalls stall.Watch
	due    time.Time // when the next beat is due
	before time.Time // when the last beat was sent
	swept  time.Time // when all calls were last written again
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
	// After a wait of more than half a lease, we could not know whether the registry or the
	// other nodes stood still.
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
	b.lease.renew(sent) // only after v is stored, since claims need both
	b.trouble.pass(answered)
	b.confirms.answered()
	b.stats.nodes.Store(int64(len(v.others) + 1))
	poke(b.looked)
	poke(b.work) // the registry can be reached: write what waits
}

// heed reacts to the news about this node in a pulse.
func (b *beater) heed(news news, now time.Time) {
	if news.twin {
		b.cfg.Logger.Error("another process uses this node's name and takes its calls", "node", b.me.Name)
	}
	if news.buried {
		b.cfg.Logger.Warn("other nodes declared this node dead, checking which calls it still owns", "node", b.me.Name)
	}
	switch {
	case news.buried, news.twin:
		b.lease.suspect.Store(true)
		// Wait until the claims that are running now are done, so that writes of claimed
		// calls are refused.
		b.writeAll(now.Add(b.patience()))
	case news.emptied:
		b.cfg.Logger.Warn("the registry has lost data, writing all calls again", "node", b.me.Name)
		b.writeAll(now)
		b.trouble.over.Add(1) // the registry may have calls again that have ended: see orphans
	case now.Sub(b.swept) >= sweepEvery:
		b.writeAll(now)
	default:
		return
	}
	b.swept = now
}

package ownership

import (
	"context"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// orphans are calls that are ours in the registry and that we do not know: a claim was
// done long after its answer was given up, or the registry went back to what it was
// before they ended. Nobody else would ever look after them, so they are taken up as
// those of an earlier run. They are looked for when trouble is over.
type orphans struct {
	after uint64                // the trouble that was looked at last
	seen  map[failover.Key]bool // at the first look; what is on its way out is gone at the second
	again time.Time             // when that is; zero for none
}

// look looks if it is time, and returns when to look again.
func (o *orphans) look(n *Node) time.Time {
	now := time.Now()
	over := n.trouble.over.Load()
	if o.after == over && (o.again.IsZero() || now.Before(o.again)) {
		return o.again
	}
	first := o.after != over
	o.after, o.again = over, now.Add(n.cfg.Settings.Lease)
	held, err := ask(n.alive, n, n.places, n.patience(), func(ctx context.Context) ([]failover.Held, error) {
		return n.cfg.Registry.Owned(ctx, n.me, mostPaged)
	})
	if err != nil {
		n.trouble.begin(now, err)
		return o.again
	}
	unknown := n.unknown(held)
	if first || len(unknown) == 0 {
		if o.seen = unknown; len(unknown) == 0 {
			o.again = time.Time{}
		}
		return o.again
	}
	var keys []failover.Key
	for k := range unknown {
		if o.seen[k] && len(keys) < claimBatch {
			keys = append(keys, k)
		}
	}
	o.seen = unknown
	o.adopt(n, keys)
	return o.again
}

// unknown is what of the calls we neither have nor are about to remove.
func (n *Node) unknown(held []failover.Held) map[failover.Key]bool {
	unknown := make(map[failover.Key]bool)
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range held {
		k := held[i].Key
		if _, marked := n.marks.all[k.ID]; marked {
			continue
		}
		if _, err := n.Memory.Load(context.Background(), k.ID); err != nil {
			unknown[k] = true
		}
	}
	return unknown
}

func (o *orphans) adopt(n *Node, keys []failover.Key) {
	if len(keys) == 0 {
		return
	}
	claimed, err := askAll(n.alive, n, len(keys), func(ctx context.Context) ([]failover.Claimed, error) {
		return n.cfg.Registry.Claim(ctx, n.me, n.me, keys)
	})
	now := time.Now()
	if err != nil {
		n.trouble.begin(now, err)
		return
	}
	n.adopt(&gone{Node: n.me, how: Earlier, moved: now, since: now}, claimed)
}

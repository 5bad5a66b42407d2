package ownership

import (
	"context"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// orphans are calls that this node owns in the registry but does not know: the registry
// carried out a claim long after we stopped waiting for it, or it went back to a state from
// before they ended. No other node would look after them, so they are adopted like calls of
// an earlier run. They are searched for each time that an outage of the registry is over.
type orphans struct {
	after uint64                // trouble.over at the last search
	seen  map[failover.Key]bool // found by the first look; those being dropped are gone at the second
	again time.Time             // when to look next; zero for no look
}

// look looks for orphans if it is time, and returns when to look again.
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

// unknown returns the calls that are neither in memory nor marked to be dropped.
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

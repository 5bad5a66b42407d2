package sim

import (
	"context"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
)

// link connects one life of n with the registry.
func (r *registry) link(n *node) failover.Registry {
	life := n.lives
	f := failovertest.NewFaulty(&witness{r.Shared, r, n, life})
	f.Set(func(string) failovertest.Fault { return r.condition(n, life) })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links = append(r.links, f)
	return r.w.stack.plant(f)
}

// condition returns what goes wrong with a request of n right now.
func (r *registry) condition(n *node, life int) (f failovertest.Fault) {
	paused, runs := n.standsStill(life)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.w.now()
	f.Down = !runs || r.down.has(now)
	f.Lost = r.lossy.has(now) && r.random.Float64() < r.share
	if r.slow.has(now) {
		f.Delay, f.Reply = spread(r.random, r.slowness), spread(r.random, r.slowness)
	}
	for _, c := range r.cutOff[n] {
		switch {
		case !c.has(now):
		case c.refused:
			f.Down = true
		default: // TCP delivers it later
			f.Delay = max(f.Delay, c.to-now)
		}
	}
	// A paused process sends when it continues.
	f.Delay = max(f.Delay, paused)
	return f
}

// witness records what the registry grants.
type witness struct {
	failover.Registry
	r    *registry
	n    *node
	life int
}

// Beat implements failover.Registry.
func (l *witness) Beat(ctx context.Context, me failover.Node) (failover.Pulse, error) {
	l.r.met(me, l.n, l.life)
	return l.Registry.Beat(ctx, me)
}

// Put implements failover.Registry.
func (l *witness) Put(ctx context.Context, me failover.Node, entries []failover.Entry) ([]error, error) {
	l.r.turn.Lock()
	defer l.r.turn.Unlock()
	errs, err := l.Registry.Put(ctx, me, entries)
	for i := range errs {
		l.r.put(me, entries[i].Key(), errs[i])
	}
	return errs, err
}

// Drop implements failover.Registry.
func (l *witness) Drop(ctx context.Context, me failover.Node, keys []failover.Key) ([]error, error) {
	l.r.turn.Lock()
	defer l.r.turn.Unlock()
	errs, err := l.Registry.Drop(ctx, me, keys)
	for i := range errs {
		if errs[i] == nil {
			l.r.drop(keys[i])
		}
	}
	return errs, err
}

// Claim implements failover.Registry.
func (l *witness) Claim(ctx context.Context, me, from failover.Node, keys []failover.Key) ([]failover.Claimed, error) {
	l.r.turn.Lock()
	defer l.r.turn.Unlock()
	claimed, err := l.Registry.Claim(ctx, me, from, keys)
	for i := range claimed {
		if claimed[i].Err == nil {
			l.r.robbed(me, from, keys[i])
			l.r.claimed(me, from, claimed[i].Key())
		}
	}
	return claimed, err
}

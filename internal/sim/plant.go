package sim

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/ownership"
)

// Plant is a fault that is put into every node on purpose, to see whether the judges find it.
// It is a registry that misleads its node, so that the node needs no hook.
type Plant func(failover.Registry) failover.Registry

// plant returns a registry that misleads a node.
func (s *Stack) plant(r failover.Registry) failover.Registry {
	if s.Plant == nil {
		return r
	}
	return s.Plant(r)
}

// NoFence hides from each node that another one owns a call.
func NoFence(r failover.Registry) failover.Registry { return &noFence{Registry: r} }

type noFence struct {
	failover.Registry
	me atomic.Pointer[failover.Node] // set by each beat
}

func (f *noFence) Beat(ctx context.Context, me failover.Node) (failover.Pulse, error) {
	f.me.Store(&me)
	p, err := f.Registry.Beat(ctx, me)
	p.Buried = 0
	return p, err
}

func (f *noFence) Put(ctx context.Context, me failover.Node, entries []failover.Entry) ([]error, error) {
	errs, err := f.Registry.Put(ctx, me, entries)
	clear(errs)
	return errs, err
}

func (f *noFence) Owner(ctx context.Context, ids []dialogstore.ID) ([]failover.Ownership, error) {
	owners, err := f.Registry.Owner(ctx, ids)
	if me := f.me.Load(); me != nil {
		for i := range owners {
			owners[i].Owner = *me
		}
	}
	return owners, err
}

// Credulous considers every node dead whose count stands still, even if its own beats fail:
// they seem to succeed.
func Credulous(r failover.Registry) failover.Registry { return &credulous{Registry: r} }

type credulous struct {
	failover.Registry
	mu   sync.Mutex
	last failover.Pulse
}

func (c *credulous) Beat(ctx context.Context, me failover.Node) (failover.Pulse, error) {
	p, err := c.Registry.Beat(ctx, me)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.last = p
		return p, nil
	}
	nodes := append([]failover.Beating(nil), c.last.Nodes...)
	for i := range nodes {
		if nodes[i].Node == me {
			nodes[i].Count++
		}
	}
	c.last.Nodes = nodes
	return c.last, nil
}

func (c *credulous) Bury(context.Context, failover.Node, uint64) (bool, error) { return true, nil }

// Greedy writes itself as the owner of calls that it once saw a dead node own, instead of
// claiming them, no matter who owns them now.
func Greedy(r failover.Registry) failover.Registry {
	return &greedy{Registry: r, lists: make(map[failover.Node]list)}
}

type greedy struct {
	failover.Registry
	mu    sync.Mutex
	lists map[failover.Node]list
}

// list has the calls that a node owned at the last look.
type list struct {
	at   time.Time
	held []failover.Held
}

func (g *greedy) Owned(ctx context.Context, owner failover.Node, limit int) ([]failover.Held, error) {
	g.mu.Lock()
	l, ok := g.lists[owner]
	delete(g.lists, owner)
	g.mu.Unlock()
	if ok && time.Since(l.at) < 2*lease {
		return l.held, nil
	}
	held, err := g.Registry.Owned(ctx, owner, limit)
	if err == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.lists[owner] = list{time.Now(), held}
	}
	return held, err
}

func (g *greedy) Claim(ctx context.Context, me, _ failover.Node, keys []failover.Key) ([]failover.Claimed, error) {
	all := make([]failover.Claimed, 0, len(keys))
	for _, k := range keys {
		owners, err := g.Owner(ctx, []dialogstore.ID{k.ID})
		if err != nil {
			return nil, err
		}
		now := failover.Key{ID: k.ID, Epoch: owners[0].Epoch}
		claimed, err := g.Registry.Claim(ctx, me, owners[0].Owner, []failover.Key{now})
		if err != nil {
			return nil, err
		}
		all = append(all, claimed...)
	}
	return all, nil
}

// NoJump lets a new owner continue the CSeq of the former owner without a jump, if there are
// enough lower numbers.
func NoJump(r failover.Registry) failover.Registry { return &noJump{r} }

type noJump struct{ failover.Registry }

func (j *noJump) Claim(ctx context.Context, me, from failover.Node, keys []failover.Key) ([]failover.Claimed, error) {
	claimed, err := j.Registry.Claim(ctx, me, from, keys)
	for i := range claimed {
		if d := &claimed[i].Dialog; d.LocalCSeq > ownership.AfterTakeover {
			d.LocalCSeq -= ownership.AfterTakeover
		}
	}
	return claimed, err
}

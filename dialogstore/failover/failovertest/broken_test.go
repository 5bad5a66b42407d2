package failovertest

import (
	"context"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

type (
	ctx     = context.Context
	memory  = failover.Memory
	node    = failover.Node
	pulse   = failover.Pulse
	state   = failover.Entry
	name    = failover.Key
	claimed = failover.Claimed
	held    = failover.Held
	id      = dialogstore.ID
	owner   = failover.Ownership
)

// broken is a registry of which some methods are replaced. put, drop and claim are for
// one call of a batch each, lists for all.
type broken struct {
	*memory
	beat  func(ctx, node) (pulse, error)
	leave func(ctx, node) error
	bury  func(ctx, node, uint64) (bool, error)
	put   func(ctx, node, state) error
	puts  func(ctx, node, []state) ([]error, error)
	drop  func(ctx, node, name) error
	drops func(ctx, node, []name) ([]error, error)
	claim func(ctx, node, node, name) claimed
	takes func(ctx, node, node, []name) ([]claimed, error)
	owned func(ctx, node, int) ([]held, error)
	owner func(ctx, []id) ([]owner, error)
	read  func(ctx, []id) ([]state, error)
}

func (b broken) Beat(c ctx, me node) (pulse, error) {
	if b.beat != nil {
		return b.beat(c, me)
	}
	return b.memory.Beat(c, me)
}

func (b broken) Leave(c ctx, me node) error {
	if b.leave != nil {
		return b.leave(c, me)
	}
	return b.memory.Leave(c, me)
}

func (b broken) Bury(c ctx, n node, count uint64) (bool, error) {
	if b.bury != nil {
		return b.bury(c, n, count)
	}
	return b.memory.Bury(c, n, count)
}

func (b broken) Put(c ctx, me node, entries []state) ([]error, error) {
	if b.puts != nil {
		return b.puts(c, me, entries)
	}
	if b.put == nil || c.Err() != nil {
		return b.memory.Put(c, me, entries)
	}
	errs := make([]error, len(entries))
	for i, e := range entries {
		errs[i] = b.put(c, me, e)
	}
	return errs, nil
}

func (b broken) Drop(c ctx, me node, keys []name) ([]error, error) {
	if b.drops != nil {
		return b.drops(c, me, keys)
	}
	if b.drop == nil || c.Err() != nil {
		return b.memory.Drop(c, me, keys)
	}
	errs := make([]error, len(keys))
	for i, k := range keys {
		errs[i] = b.drop(c, me, k)
	}
	return errs, nil
}

func (b broken) Claim(c ctx, me, from node, keys []name) ([]claimed, error) {
	if b.takes != nil {
		return b.takes(c, me, from, keys)
	}
	if b.claim == nil || c.Err() != nil {
		return b.memory.Claim(c, me, from, keys)
	}
	all := make([]claimed, len(keys))
	for i, k := range keys {
		all[i] = b.claim(c, me, from, k)
	}
	return all, nil
}

func (b broken) Owned(c ctx, n node, limit int) ([]held, error) {
	if b.owned != nil {
		return b.owned(c, n, limit)
	}
	return b.memory.Owned(c, n, limit)
}

func (b broken) Owner(c ctx, ids []id) ([]owner, error) {
	if b.owner != nil {
		return b.owner(c, ids)
	}
	return b.memory.Owner(c, ids)
}

func (b broken) Read(c ctx, ids []id) ([]state, error) {
	if b.read != nil {
		return b.read(c, ids)
	}
	return b.memory.Read(c, ids)
}

// deaf hears no context.
type deaf struct{ *memory }

var background = context.Background()

func (d deaf) Beat(_ ctx, me node) (pulse, error) { return d.memory.Beat(background, me) }
func (d deaf) Leave(_ ctx, me node) error         { return d.memory.Leave(background, me) }
func (d deaf) Bury(_ ctx, n node, count uint64) (bool, error) {
	return d.memory.Bury(background, n, count)
}
func (d deaf) Put(_ ctx, me node, e []state) ([]error, error) { return d.memory.Put(background, me, e) }
func (d deaf) Drop(_ ctx, me node, k []name) ([]error, error) {
	return d.memory.Drop(background, me, k)
}
func (d deaf) Owned(_ ctx, n node, limit int) ([]held, error) {
	return d.memory.Owned(background, n, limit)
}
func (d deaf) Owner(_ ctx, ids []id) ([]owner, error) { return d.memory.Owner(background, ids) }
func (d deaf) Claim(_ ctx, me, from node, k []name) ([]claimed, error) {
	return d.memory.Claim(background, me, from, k)
}

// For one call and without an error of the whole, which Memory has none of.

func put2(m *memory, me node, e state) error {
	errs, _ := m.Put(background, me, []state{e})
	return errs[0]
}

func drop2(m *memory, me node, k name) error {
	errs, _ := m.Drop(background, me, []name{k})
	return errs[0]
}

func claim2(m *memory, me, from node, k name) claimed {
	c, _ := m.Claim(background, me, from, []name{k})
	return c[0]
}

func owner2(m *memory, i id) owner {
	owners, _ := m.Owner(background, []id{i})
	return owners[0]
}

package ownership

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Answer is what the registry says of a call of which we think that it is ours.
type Answer uint8

// The answers.
const (
	Silent  Answer = iota // the registry does not answer
	Mine                  // nobody else owns it
	NotMine               // somebody else does, or has ended it
)

const (
	// confirmWithin bounds how long a request waits for the registry.
	confirmWithin = 200 * time.Millisecond
	// silentFor is how long a registry that has not answered is not asked about single
	// calls again, unless a beat is answered before.
	silentFor = time.Second
)

// confirms are questions about single calls.
type confirms struct {
	places
	silent atomic.Pointer[time.Time] // when one was not answered; nil once a beat was
}

func (c *confirms) answered() { c.silent.Store(nil) }

// Key names a call in the epoch in which this node owns it, for what is sent in it: also
// for a BYE that leaves when the dialog is deleted.
func (n *Node) Key(id dialogstore.ID) failover.Key {
	return failover.Key{ID: id, Epoch: n.epochOf(id)}
}

// Good reports whether nobody can have taken this node for dead: it is a look at the
// clock. It is for the step that hands a request to the transaction layer.
func (n *Node) Good() bool { return n.serving.Load() && n.lease.good(time.Now()) }

// MayRefresh reports whether a refresh may be sent. Where the lease is not good the
// registry is asked, for 200 ms at most; where it does not answer the call is refreshed,
// for nobody can take it over either, unless only this node is cut off: then the peer
// refuses. A call that is no longer ours is released before MayRefresh returns.
func (n *Node) MayRefresh(ctx context.Context, k failover.Key) bool {
	return n.Good() || n.confirm(ctx, k, ByLease) != NotMine && n.serving.Load()
}

// MayHangUp reports whether a call may be hung up. It is as MayRefresh, but where the
// registry does not answer it is no, unless the call is over: a refresh of ours was
// answered 408 or 481, or its session has expired.
func (n *Node) MayHangUp(ctx context.Context, k failover.Key, over bool) bool {
	if n.Good() {
		return true
	}
	switch n.confirm(ctx, k, ByLease) {
	case Mine:
		return n.serving.Load()
	case Silent:
		return over && n.serving.Load()
	}
	return false
}

// Refused is for a refresh that the peer has answered 500: it asks the registry who owns
// the call, for 200 ms at most. Where it is ours, and this is the first time since it was
// taken over, jump says to try again at once with a CSeq that is AfterRefusal higher: two
// nodes may have numbered it (RFC 3261 §12.2.2). A call that is not ours is released.
func (n *Node) Refused(ctx context.Context, k failover.Key) (a Answer, jump bool) {
	a = n.confirm(ctx, k, ByPeer)
	if a != Mine {
		return a, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	h, ok := n.held[k.ID]
	if !ok || h.claimed == 0 || h.jumped {
		return a, false
	}
	h.jumped = true
	n.hold(k.ID, h)
	return a, true
}

// Elsewhere reports whether the registry has a call that this node does not, within
// 200 ms: its owner may have died just now, so that it is taken over soon.
func (n *Node) Elsewhere(ctx context.Context, id dialogstore.ID) bool {
	if at := n.confirms.silent.Load(); at != nil && time.Since(*at) < silentFor {
		return false
	}
	owners, err := ask(ctx, n, n.confirms.places, confirmWithin, func(ctx context.Context) ([]failover.Ownership, error) {
		return n.cfg.Registry.Owner(ctx, []dialogstore.ID{id})
	})
	return err == nil && len(owners) == 1 && owners[0].Owner != (failover.Node{})
}

// confirm asks the registry who owns a call, and releases it if we do not.
func (n *Node) confirm(ctx context.Context, k failover.Key, by Fence) Answer {
	c := &n.confirms
	if at := c.silent.Load(); at != nil && time.Since(*at) < silentFor {
		return Silent
	}
	owners, err := ask(ctx, n, c.places, confirmWithin, func(ctx context.Context) ([]failover.Ownership, error) {
		return n.cfg.Registry.Owner(ctx, []dialogstore.ID{k.ID})
	})
	if err != nil || len(owners) != 1 {
		if now := time.Now(); ctx.Err() == nil {
			c.silent.Store(&now)
		}
		return Silent
	}
	if n.isMine(k, owners[0]) {
		return Mine
	}
	n.release(k, owners[0], by)
	return NotMine
}

// isMine judges what the registry has of a call that we hold in the epoch of k. It may
// have nothing, or something older, for it may have lost it; and a claim of ours may have
// been done though its answer was lost. A call that has ended in our epoch was ended by us.
func (n *Node) isMine(k failover.Key, o failover.Ownership) bool {
	return o.Epoch < k.Epoch || o.Owner == n.me || o.Epoch == k.Epoch && o.Owner == (failover.Node{})
}

package ownership

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Answer is the registry's answer about a call that this node believes to own.
type Answer uint8

// The answers.
const (
	Silent  Answer = iota // the registry does not answer
	Mine                  // no other node owns it
	NotMine               // another node owns it, or has ended it
)

const (
	// confirmWithin is how long a request waits for the registry.
	confirmWithin = 200 * time.Millisecond
	// silentFor is how long the registry is not asked about single calls after it failed to
	// answer, unless a beat succeeds earlier.
	silentFor = time.Second
)

// confirms are the questions to the registry about single calls.
type confirms struct {
	places
	silent atomic.Pointer[time.Time] // when one got no answer; nil after the next good beat
}

func (c *confirms) answered() { c.silent.Store(nil) }

// Shared returns true: another node may take a call over at any time.
func (*Node) Shared() bool { return true }

// Key returns the key of a call, with the epoch in which this node owns it. A BYE keeps the
// key, because the dialog is deleted before it is sent.
func (n *Node) Key(id dialogstore.ID) failover.Key {
	return failover.Key{ID: id, Epoch: n.epochOf(id)}
}

// Good reports whether no other node can consider this one dead. It only reads the clock, so
// it is cheap enough for each request.
func (n *Node) Good() bool { return n.serving.Load() && n.lease.good(time.Now()) }

// MayRefresh reports whether a refresh may be sent. If the lease is not good, it asks the
// registry, and waits up to 200 ms. If the registry does not answer, the refresh may be
// sent: either no other node can take the call over, or only this node is cut off, and then
// the peer refuses the refresh. A call that another node owns is released before MayRefresh
// returns.
func (n *Node) MayRefresh(ctx context.Context, k failover.Key) bool {
	return n.Good() || n.confirm(ctx, k, ByLease) != NotMine && n.serving.Load()
}

// MayHangUp reports whether a call may be hung up. It works like MayRefresh, but returns over
// if the registry does not answer. over is true if the call is over for the peer anyway: it
// has answered 408 or 481, or the session has expired. The BYE of a call that has ended here
// before Leave may still be sent: no other node takes that call over.
func (n *Node) MayHangUp(ctx context.Context, k failover.Key, over bool) bool {
	if n.Good() {
		return true
	}
	a := n.confirm(ctx, k, ByLease)
	return (a == Mine || a == Silent && over && !n.doubts(k.ID)) && (n.serving.Load() || n.hasEnded(k.ID))
}

func (n *Node) hasEnded(id dialogstore.ID) bool {
	_, err := n.Memory.Load(context.Background(), id)
	return err != nil
}

// doubts reports whether the peer has answered one of our refreshes with 500 while the
// registry did not answer: another node may serve the call now.
func (n *Node) doubts(id dialogstore.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held[id].doubted
}

// Refused is called after the peer has answered a refresh with 500. It asks the registry who
// owns the call, and waits up to 200 ms. If the call is ours and was taken over, and this is
// the first time since then, jump is true: try again at once with a CSeq that is
// AfterRefusal higher, because the former owner may have used higher numbers (RFC 3261
// §12.2.2). A call that another node owns is released.
func (n *Node) Refused(ctx context.Context, k failover.Key) (a Answer, jump bool) {
	a = n.confirm(ctx, k, ByPeer)
	if a == NotMine {
		return a, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := n.Memory.Load(ctx, k.ID); err != nil {
		return a, false // it has ended meanwhile
	}
	h := n.held[k.ID]
	h.doubted = a == Silent
	if jump = a == Mine && h.claimed != 0 && !h.jumped; jump {
		h.jumped = true
	}
	n.hold(k.ID, h)
	return a, jump
}

// Elsewhere reports whether the registry has a call that this node does not, and waits up to
// 200 ms. The owner may have just died, so that the call is about to be taken over. sure is
// false if the registry does not answer.
func (n *Node) Elsewhere(ctx context.Context, id dialogstore.ID) (is, sure bool) {
	if at := n.confirms.silent.Load(); at != nil && time.Since(*at) < silentFor {
		return false, false
	}
	owners, err := ask(ctx, n, n.confirms.places, confirmWithin, func(ctx context.Context) ([]failover.Ownership, error) {
		return n.cfg.Registry.Owner(ctx, []dialogstore.ID{id})
	})
	sure = err == nil && len(owners) == 1
	return sure && owners[0].Owner != (failover.Node{}), sure
}

// confirm asks the registry who owns a call, and releases it if that is another node.
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

// isMine reports whether a call that we own in the epoch of k is still ours, given the
// registry's answer o. The registry may have lost the call, or have an older state. It may
// have a newer epoch of ours, if the answer to a claim was lost. A call that has ended in our
// epoch was ended by us.
func (n *Node) isMine(k failover.Key, o failover.Ownership) bool {
	return o.Epoch < k.Epoch || o.Owner == n.me || o.Epoch == k.Epoch && o.Owner == (failover.Node{})
}

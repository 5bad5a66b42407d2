package ownership

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

const (
	// AfterTakeover is what the new owner adds to the stored CSeq before its first
	// request. The result is higher than any CSeq that the former owner may still send, so
	// that the peer refuses those requests (RFC 3261 §12.2.2).
	AfterTakeover = 1000
	// AfterRefusal is what the new owner adds if the peer has refused that request.
	AfterRefusal = 1 << 16
)

// highestCSeq is the highest result of Jump. It leaves enough numbers below 2^31 (RFC 3261
// §8.1.1.5) for the rest of the call.
const highestCSeq = 1<<31 - 1 - 1<<16

// Jump raises a CSeq by the given amount, as far as highestCSeq allows.
func Jump(cseq, by uint32) uint32 { return max(cseq, min(highestCSeq, cseq+by)) }

// adopters is how many calls are adopted at once.
const adopters = 16

// adopt adopts calls that were claimed, several at once, the first ones first. It returns
// how many this node has taken over.
func (n *Node) adopt(g *gone, claimed []failover.Claimed) (adopted int) {
	var next, many atomic.Int64
	var all sync.WaitGroup
	for range min(adopters, len(claimed)) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(claimed)); i = next.Add(1) - 1 {
				if n.adoptOne(g, &claimed[i]) {
					many.Add(1)
				}
			}
		})
	}
	all.Wait()
	return int(many.Load())
}

func (n *Node) adoptOne(g *gone, c *failover.Claimed) (adopted bool) {
	if corrupt := new(failover.CorruptError); errors.As(c.Err, &corrupt) {
		n.refuse(c, corrupt.Reason)
		return false
	}
	if c.Err != nil {
		return false // another node was faster, or the call has ended
	}
	defer n.contain(c.Dialog.ID)
	if err := n.cfg.Usable(&c.Dialog); err != nil {
		n.refuse(c, err)
		return false
	}
	a := &Adoption{Dialog: c.Dialog, From: g.Node, How: g.how, After: g.after(time.Now())}
	n.revive(&a.Dialog, c.Age)
	a.Decision = n.decide(a.Dialog)
	a.apply()
	if addr := n.cfg.Settings.Address; addr != "" {
		a.Dialog.LocalAddr = addr
	}
	defer n.turns.wait(a.Dialog.ID)()
	forget := n.cfg.Host.Expect(a)
	if !n.keep(a, c.Epoch) {
		forget()
		return false
	}
	outcome := &n.stats.kept
	if a.Decision.End {
		outcome = &n.stats.ended
	}
	n.stats.tookOver(outcome, a.After)
	n.cfg.Host.Adopt(n.ctx, a)
	return true
}

// refuse drops a call whose stored dialog cannot be used: requests made from it could
// contain anything.
func (n *Node) refuse(c *failover.Claimed, err error) {
	n.stats.refused.Add(1)
	n.cfg.Logger.Error("call not taken over: its stored dialog is unusable", "call_id", c.Dialog.CallID, "local_tag", c.Dialog.LocalTag, "remote_tag", c.Dialog.RemoteTag, "error", err)
	n.mu.Lock()
	n.marks.drop(c.Dialog.ID, c.Epoch)
	n.mu.Unlock()
	poke(n.work)
}

// revive adapts a stored dialog to this process. Since becomes a time of our monotonic
// clock, and a policy that is invalid or Off is replaced by ours.
func (n *Node) revive(d *dialogstore.Dialog, age time.Duration) {
	if d.Session.Active() {
		d.Session.Since = time.Now().Add(-age)
	}
	if d.Policy.Validate() != nil || d.Policy.Mode == sessiontimer.Off {
		d.Policy = n.cfg.Policy
	}
}

// decide asks the application what to do with the call. If its function panics, the call is
// kept.
func (n *Node) decide(d dialogstore.Dialog) (decision failover.Decision) {
	defer n.contain(d.ID)
	return n.cfg.Settings.Takeover(d)
}

// apply changes the dialog as the application has decided.
func (a *Adoption) apply() {
	d := a.Decision
	if d.Contact != "" {
		a.Dialog.Contact = d.Contact
	}
	if d.End {
		return
	}
	if len(d.SDP) > 0 {
		a.Dialog.SDP, a.Dialog.SDPType = d.SDP, d.SDPType
		if d.SDPType == "" {
			a.Dialog.SDPType = "application/sdp"
		}
	}
}

// keep stores the call in memory. It returns false if the call was adopted in this epoch
// before, or has just ended.
func (n *Node) keep(a *Adoption, epoch uint64) bool {
	id := a.Dialog.ID
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held[id].claimed >= epoch {
		return false
	}
	a.Dialog.Version = max(1, a.Dialog.Version+1)
	a.Dialog.LocalCSeq = Jump(a.Dialog.LocalCSeq, AfterTakeover)
	ctx := context.Background()
	if err := n.Memory.Create(ctx, a.Dialog); errors.Is(err, dialogstore.ErrExists) {
		// We owned the call before, and have not noticed yet that we lost it meanwhile.
		a.Before, a.Dialog, err = n.Memory.Update(ctx, id, a.supersede)
		if err != nil {
			return false // it has just ended
		}
	}
	n.held[id] = holding{claimed: epoch}
	n.marks.put(id, false)
	poke(n.work)
	return true
}

// supersede returns the claimed state, to replace the one that we had before. Version and
// CSeq are higher than in both.
func (a *Adoption) supersede(before dialogstore.Dialog) (dialogstore.State, error) {
	s := a.Dialog.State
	if dialogstore.Newer(before.Version+1, s.Version) {
		s.Version = before.Version + 1
	}
	s.LocalCSeq = max(s.LocalCSeq, Jump(before.LocalCSeq, AfterTakeover))
	return s, nil
}

// contain recovers and logs a panic. It is deferred around calls of the application and the
// Host.
func (n *Node) contain(id dialogstore.ID) {
	if v := recover(); v != nil {
		n.cfg.Logger.Error("panic while taking over a call", "call_id", id.CallID, "local_tag", id.LocalTag, "remote_tag", id.RemoteTag,
			"panic", v, "stack", string(debug.Stack()))
	}
}

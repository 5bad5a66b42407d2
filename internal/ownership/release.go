package ownership

import (
	"context"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// release forgets a call that another node owns, if we still hold it in the epoch of k.
// Nothing is sent. A call that is being adopted right now stays; if it is not ours, its next
// write is refused, and it is released then.
func (n *Node) release(k failover.Key, to failover.Ownership, by Fence) {
	done, ok := n.turns.try(k.ID)
	if !ok {
		n.changed(k.ID, false)
		return
	}
	defer done()
	n.mu.Lock()
	h := n.held[k.ID]
	if h.epoch() != k.Epoch {
		n.mu.Unlock()
		return // it was claimed back meanwhile
	}
	d, err := n.Memory.Delete(context.Background(), k.ID)
	if err == nil {
		delete(n.held, k.ID)
		n.marks.forget(k.ID)
	}
	n.mu.Unlock()
	if err != nil {
		return // it has ended
	}
	n.stats.fenced[by].Add(1)
	n.cfg.Logger.Info("call released: another node owns it", "call_id", k.CallID, "local_tag", k.LocalTag,
		"remote_tag", k.RemoteTag, "owner", to.Owner.Name, "epoch", to.Epoch, "fence", by.String())
	n.cfg.Host.Release(&Release{Dialog: d, To: to.Owner, Epoch: to.Epoch, Fence: by})
}

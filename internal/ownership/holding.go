package ownership

import "github.com/sipgo-contrib/sessiontimer/dialogstore"

// holding is how this node holds a call. The zero holding is that of a call which began
// here and whose peer is proved; it is not kept.
type holding struct {
	claimed  uint64 // the epoch in which it was claimed; 0 for a call that began here
	unproved bool   // strangers can make such a dialog alone: it is not written
	jumped   bool   // the peer's first 500 after the takeover was answered with a jump
}

func (h holding) epoch() uint64 { return max(1, h.claimed) }

// hold remembers how a call is held. n.mu is held.
func (n *Node) hold(id dialogstore.ID, h holding) {
	if h == (holding{}) {
		delete(n.held, id)
		return
	}
	n.held[id] = h
}

// epochOf is the epoch in which a call of this node is owned.
func (n *Node) epochOf(id dialogstore.ID) uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held[id].epoch()
}

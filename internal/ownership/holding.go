package ownership

import "github.com/sipgo-contrib/sessiontimer/dialogstore"

// holding is what a node remembers about a call that it owns. The zero holding, for a call
// that began here and whose peer has proved that it is there, is not stored.
type holding struct {
	claimed  uint64 // the epoch in which it was claimed; 0 for a call that began here
	unproved bool   // the peer may be forged, so the call is not written to the registry
	doubted  bool   // the peer answered 500, and the registry did not say who owns the call
	jumped   bool   // Refused has returned jump since the takeover
}

func (h holding) epoch() uint64 { return max(1, h.claimed) }

// hold sets the holding of a call. n.mu is held.
func (n *Node) hold(id dialogstore.ID, h holding) {
	if h == (holding{}) {
		delete(n.held, id)
		return
	}
	n.held[id] = h
}

// epochOf returns the epoch in which this node owns a call.
func (n *Node) epochOf(id dialogstore.ID) uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held[id].epoch()
}

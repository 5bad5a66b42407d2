package ownership

import (
	"context"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Create implements dialogstore.Store. A call that the peer began is written to the registry
// only after Proved.
func (n *Node) Create(ctx context.Context, d dialogstore.Dialog) error {
	if d.OwnsCallID {
		err := n.Memory.Create(ctx, d)
		if err == nil {
			n.changed(d.ID, true)
		}
		return err
	}
	added := n.doubt(d.ID)
	err := n.Memory.Create(ctx, d)
	if err != nil && added {
		n.trust(d.ID)
	}
	return err
}

// Update implements dialogstore.Store.
func (n *Node) Update(ctx context.Context, id dialogstore.ID,
	change func(dialogstore.Dialog) (dialogstore.State, error)) (before, after dialogstore.Dialog, err error) {
	before, after, err = n.Memory.Update(ctx, id, change)
	if err == nil {
		n.changed(id, false)
	}
	return before, after, err
}

// Delete implements dialogstore.Store.
func (n *Node) Delete(ctx context.Context, id dialogstore.ID) (dialogstore.Dialog, error) {
	d, err := n.Memory.Delete(ctx, id)
	if err == nil {
		n.ended(id)
	}
	return d, err
}

// Proved notes that the peer of a dialog has proved that it is there. From now on the dialog
// is written to the registry.
func (n *Node) Proved(id dialogstore.ID) {
	if n.trust(id) {
		n.changed(id, true)
	}
}

// doubt marks a dialog as unproved, and reports whether it was not before.
func (n *Node) doubt(id dialogstore.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.held[id]
	was := h.unproved
	h.unproved = true
	n.hold(id, h)
	return !was
}

// trust marks a dialog as proved, and reports whether it was not before.
func (n *Node) trust(id dialogstore.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.held[id]
	was := h.unproved
	h.unproved = false
	n.hold(id, h)
	return was
}

// changed marks a dialog to be written with its latest state. isNew is true if the registry
// does not have it yet.
func (n *Node) changed(id dialogstore.ID, isNew bool) {
	if n.over.Load() {
		return
	}
	n.mu.Lock()
	if !n.held[id].unproved {
		n.marks.put(id, isNew)
	}
	n.mu.Unlock()
	poke(n.work)
}

// ended marks a dialog to be dropped from the registry. It is no longer in memory.
func (n *Node) ended(id dialogstore.ID) {
	n.mu.Lock()
	h := n.held[id]
	delete(n.held, id)
	if !h.unproved && !n.over.Load() {
		n.marks.drop(id, h.epoch())
	}
	n.mu.Unlock()
	poke(n.work)
}

package calls

import (
	"sync"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// adopted are the calls that this node has taken over from another one, or from the
// process before it.
type adopted struct {
	mu  sync.RWMutex
	all map[dialogstore.ID]adoption
}

type adoption struct {
	from        string // the node that served it before
	restored    bool   // the application has its dialog
	unreachable bool   // and was told that the peer is not to be reached
}

// Adopt serves a call that was taken over, whose dialog is in the store. What is still
// in flight of it here, where it was before, is numbered on from the dialog. restored
// says that the application has its dialog, too; otherwise all is answered here. from
// names the node that served it.
func (c *Calls) Adopt(d *dialogstore.Dialog, from string, restored bool) {
	a := &c.adopted
	a.mu.Lock()
	if a.all == nil {
		a.all = make(map[dialogstore.ID]adoption)
	}
	a.all[d.ID] = adoption{from: from, restored: restored}
	a.mu.Unlock()
	if _, dialog := c.Sets.Resume(*d); dialog != nil {
		dialog.Count.GoOnAfter(d.LocalCSeq)
	}
}

// Release lets a call go in silence that another node serves by now: what is under way
// in it is given up. It is in the store no more.
func (c *Calls) Release(id dialogstore.ID) {
	c.adopted.forget(id)
	s := c.Sets.Find(id.CallID, id.LocalTag)
	if s == nil {
		return
	}
	if _, last := s.Let(id.RemoteTag); last {
		c.Sets.DropLater(s)
	}
}

// Orphan reports whether a call was taken over, and the application has no dialog of
// it.
func (c *Calls) Orphan(id dialogstore.ID) bool {
	a := &c.adopted
	a.mu.RLock()
	defer a.mu.RUnlock()
	if len(a.all) == 0 {
		return false
	}
	found, is := a.all[id]
	return is && !found.restored
}

// TakenOver returns the node that served a call before it was taken over, empty if it was
// not, and whether its peer could not be reached from here.
func (c *Calls) TakenOver(id dialogstore.ID) (from string, unreachable bool) {
	a := &c.adopted
	a.mu.RLock()
	defer a.mu.RUnlock()
	found := a.all[id]
	return found.from, found.unreachable
}

// Unreachable notes that the peer of a call cannot be reached, and reports whether the
// application is to be told: once, where the call was taken over.
func (c *Calls) Unreachable(id dialogstore.ID) bool {
	a := &c.adopted
	a.mu.Lock()
	defer a.mu.Unlock()
	found, is := a.all[id]
	if !is || found.unreachable {
		return false
	}
	found.unreachable = true
	a.all[id] = found
	return true
}

func (a *adopted) forget(id dialogstore.ID) {
	a.mu.RLock()
	_, is := a.all[id]
	a.mu.RUnlock()
	if !is {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.all, id)
}

package calls

import (
	"context"
	"sync"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// adopted are the calls that this node has taken over from another node, or from the
// previous run of this process.
type adopted struct {
	mu  sync.RWMutex
	all map[dialogstore.ID]adoption
}

type adoption struct {
	from        string               // name of the node that served it before
	restored    bool                 // the application has a dialog for it
	unreachable bool                 // the peer could not be reached, and the application was notified
	session     sessiontimer.Session // as it was claimed, if the peer may have refreshed it since
	asked       bool                 // the peer was asked whether session is still in force
}

// Expect notes a call that is about to be taken over, before its dialog is in the store.
// from is the name of the node that served it. restored is true if the application has made
// a dialog for it; a call that this node began and has not released keeps the one it has.
// Without a dialog of the application, the timers answer the peer's requests. forget undoes
// Expect.
func (c *Calls) Expect(id dialogstore.ID, from string, restored bool) (forget func()) {
	_, err := c.Store.Load(context.Background(), id)
	return c.adopted.expect(id, adoption{from: from, restored: restored}, err == nil)
}

// Adopt prepares a call that was announced by Expect, and is in the store now, for its next
// request. If this node has served the call before and still has state of it, CSeq continues
// after d.LocalCSeq.
//
// overtaken is true if the peer may have refreshed the session at the former owner when that
// node could no longer write to the registry: see Doubtful.
func (c *Calls) Adopt(d *dialogstore.Dialog, overtaken bool) {
	if overtaken {
		c.adopted.change(d.ID, func(a *adoption) { a.session = d.Session })
	}
	set, dialog := c.Sets.Resume(d)
	if !set.Lives(d.RemoteTag) { // it ended here a moment ago, and begins anew
		c.Sets.Drop(set)
		_, dialog = c.Sets.Resume(d)
	}
	if dialog != nil {
		dialog.Count.GoOnAfter(d.LocalCSeq)
	}
}

// Release forgets a call that another node serves now, and gives up its requests in flight.
// Nothing is sent. The dialog is no longer in the store.
func (c *Calls) Release(id dialogstore.ID) {
	c.adopted.forget(id)
	s := c.Sets.Find(id.CallID, id.LocalTag)
	if s == nil {
		return
	}
	if _, last := s.End(id.RemoteTag, false, sessiontimer.Reason{}); last {
		c.Sets.DropLater(s)
	}
}

// Orphan reports whether a call was taken over and the application has no dialog for it.
func (c *Calls) Orphan(id dialogstore.ID) bool {
	found, is := c.adopted.find(id)
	return is && !found.restored
}

// TakenOver returns the name of the node that served a call before, empty if the call was
// not taken over, and whether its peer could not be reached from here.
func (c *Calls) TakenOver(id dialogstore.ID) (from string, unreachable bool) {
	found, _ := c.adopted.find(id)
	return found.from, found.unreachable
}

// Doubtful reports whether the peer may have refreshed the session s unnoticed: the peer is
// its refresher, the call was taken over with s (see Adopt), and s was not renewed since.
// first is true once for each takeover: the caller then asks the peer, by a refresh.
func (c *Calls) Doubtful(id dialogstore.ID, s sessiontimer.Session) (doubtful, first bool) {
	c.adopted.change(id, func(a *adoption) {
		doubtful = s.Refresher == sessiontimer.Peer && a.session.Equal(s)
		first = doubtful && !a.asked
		a.asked = a.asked || doubtful
	})
	return doubtful, first
}

// Unreachable notes that the peer of a call cannot be reached. It reports whether to notify
// the application, which is true once for each call that was taken over.
func (c *Calls) Unreachable(id dialogstore.ID) (first bool) {
	c.adopted.change(id, func(a *adoption) {
		first = !a.unreachable
		a.unreachable = true
	})
	return first
}

// expect notes a call that is about to be taken over; forget undoes it. here is true if this
// node already serves the call: then the application has a dialog for it, unless the call was
// taken over without one.
func (a *adopted) expect(id dialogstore.ID, next adoption, here bool) (forget func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = make(map[dialogstore.ID]adoption)
	}
	before, known := a.all[id]
	next.restored = next.restored || here && (!known || before.restored)
	a.all[id] = next
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if delete(a.all, id); known {
			a.all[id] = before
		}
	}
}

// find returns what is known of a call, and whether it was taken over.
func (a *adopted) find(id dialogstore.ID) (adoption, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if len(a.all) == 0 { // saves hashing the ID
		return adoption{}, false
	}
	found, is := a.all[id]
	return found, is
}

// change changes what is known of a call, if it was taken over.
func (a *adopted) change(id dialogstore.ID, change func(*adoption)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if found, is := a.all[id]; is {
		change(&found)
		a.all[id] = found
	}
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

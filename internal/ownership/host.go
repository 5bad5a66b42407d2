package ownership

import (
	"context"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Host serves the calls of a Node. Its methods are called with no lock held, concurrently
// for different calls and one at a time for each call. They may call any method of the Node
// except Leave, Close and Resume, which wait for it.
type Host interface {
	// Expect is called before the call of an adoption is in the store. Once it is, requests
	// of the peer may arrive, for which the application may have no dialog. Adopt follows, or
	// forget if the call has ended meanwhile.
	Expect(a *Adoption) (forget func())

	// Adopt begins to serve a call that was taken over. The call is in the store already.
	// Adopt sends only what the Decision asks for. ctx ends with the node.
	Adopt(ctx context.Context, a *Adoption)

	// Release stops serving a call that another node owns now. The call is no longer in
	// the store. Nothing may be sent in it, and requests in flight are given up.
	Release(r *Release)
}

// Adoption is a call that was taken over.
type Adoption struct {
	// Dialog is the last state that the former owner stored, with three changes: LocalCSeq
	// is AfterTakeover higher, Contact and SDP come from the Decision if it has any, and
	// Since is a time of our monotonic clock.
	Dialog dialogstore.Dialog
	// Before is the state that this node still had of the call; usually zero.
	Before   dialogstore.Dialog
	From     failover.Node
	How      How
	Decision failover.Decision
	// After is the time since the last sign of the former owner.
	After time.Duration
}

// Change returns the takeover as a change for observers of the store.
func (a *Adoption) Change() dialogstore.Change {
	return dialogstore.Change{Before: a.Before, After: a.Dialog}
}

// How is the way in which a node lost its calls.
type How uint8

// The ways.
const (
	Died    How = iota // it was silent for a lease
	Left               // it has handed them over
	Earlier            // it is an earlier run of this node
)

var howNames = [...]string{Died: "died", Left: "left", Earlier: "restarted"}

// String returns died, left or restarted.
func (h How) String() string { return howNames[h] }

// Release is a call that this node no longer owns.
type Release struct {
	Dialog dialogstore.Dialog // as it was stored here
	To     failover.Node      // the new owner; zero if the call has ended
	Epoch  uint64             // the current epoch of the call
	Fence  Fence
}

// Fence is the way in which a node noticed that another one owns a call.
type Fence uint8

// The fences.
const (
	ByRegistry Fence = iota // a write was refused
	ByLease                 // it asked before a request, since its own beats had failed
	ByPeer                  // it asked because the peer had answered 500
	fences
)

var fenceNames = [...]string{ByRegistry: "registry", ByLease: "lease", ByPeer: "peer"}

// String returns registry, lease or peer.
func (f Fence) String() string { return fenceNames[f] }

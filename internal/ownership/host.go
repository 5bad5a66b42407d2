package ownership

import (
	"context"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Host serves the calls of a Node. Its methods are called with no lock held, by several
// goroutines at once, of which only one is about the same call. They may call any method
// of the Node but those that wait for it: Leave, Close and Resume.
type Host interface {
	// Adopt serves a call that is this node's from now on. It is in the store already,
	// and Adopt sends nothing itself but what the takeover asks for. ctx ends with the
	// node.
	Adopt(ctx context.Context, a *Adoption)

	// Release lets a call go, which is another node's by now. It is in the store no
	// more. Nothing may be sent in it, and what is under way is given up in silence.
	Release(r *Release)
}

// Adoption is a call that was taken over.
type Adoption struct {
	// Dialog is what was stored last by the former owner, with a LocalCSeq that is
	// AfterTakeover higher, with what the Decision gives of Contact and SDP, and with
	// Since by the monotonic clock of this process.
	Dialog dialogstore.Dialog
	// Before is what this node knew of it; mostly zero.
	Before   dialogstore.Dialog
	From     failover.Node
	How      How
	Decision failover.Decision
	// After is how long before its former owner was last seen.
	After time.Duration
}

// Change is what a takeover is to observers of the store.
func (a *Adoption) Change() dialogstore.Change {
	return dialogstore.Change{Before: a.Before, After: a.Dialog}
}

// How a node lost its calls.
type How uint8

// The ways.
const (
	Died    How = iota // it was silent for a lease
	Left               // it has handed them over
	Earlier            // it was an earlier run of this node
)

var howNames = [...]string{Died: "died", Left: "left", Earlier: "restarted"}

// String gives died, left or restarted.
func (h How) String() string { return howNames[h] }

// Release is a call that was let go.
type Release struct {
	Dialog dialogstore.Dialog // as it was stored here
	To     failover.Node      // the zero Node if the call has ended elsewhere
	Epoch  uint64             // in which it is owned
	Fence  Fence
}

// Fence is what has kept this node from a call that is no longer its own.
type Fence uint8

// The fences.
const (
	ByRegistry Fence = iota // a write was refused
	ByLease                 // asked before a request was sent, for there was no good beat
	ByPeer                  // asked because the peer has answered 500
	fences
)

var fenceNames = [...]string{ByRegistry: "registry", ByLease: "lease", ByPeer: "peer"}

// String gives registry, lease or peer.
func (f Fence) String() string { return fenceNames[f] }

package failover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Registry is what the nodes of a cluster share: who lives, who owns which call, and
// the latest state of each. An implementation is used by many goroutines and many
// nodes at once, and each of its methods is atomic for each call that it names. A
// method that returns an error may have done what it was asked for, in part or
// altogether; whoever calls it asks again. It returns when ctx ends.
//
// No clock of a node is ever compared with that of another: a registry measures how
// much time passes between what it is told and what it tells, by a clock of its own.
type Registry interface {
	// Beat says that me is alive, and returns what it may know of the others.
	Beat(ctx context.Context, me Node) (Pulse, error)

	// Leave says that me is about to stop: whatever it owns may be claimed at once.
	// Its next Beat takes that back.
	Leave(ctx context.Context, me Node) error

	// Bury says that node is dead and that its calls are being claimed, so that it
	// learns of that with its next Beat, should it live after all. count is what the
	// caller saw last; where the node has beaten since then nothing is done and false
	// returned. Forgotten nodes that own nothing are removed by the registry.
	Bury(ctx context.Context, node Node, count uint64) (buried bool, err error)

	// Put stores the states of calls that me owns. One that is fenced is refused: it
	// has a higher epoch, or the same and another owner, or was dropped in this epoch
	// or a later one. An older version than the one stored changes nothing, and is no
	// error. A record that is missing is made. The result has one error for each
	// entry, in order: nil or a *FencedError.
	Put(ctx context.Context, me Node, entries []Entry) ([]error, error)

	// Drop removes calls that have ended, with the fence of Put. For two minutes at
	// least a Put of the same or an earlier epoch does not bring them back.
	Drop(ctx context.Context, me Node, keys []Key) ([]error, error)

	// Claim makes me the owner of calls that from still owns in the epochs of keys,
	// and raises their epochs by one. The result has, for each key in order, the call
	// as it is owned now, or the *FencedError or ErrUnknown that says why it is not.
	Claim(ctx context.Context, me, from Node, keys []Key) ([]Claimed, error)

	// Owned lists calls of a node, those that expire first before the others, limit at
	// most. It returns none for a node that owns nothing or is not known.
	Owned(ctx context.Context, owner Node, limit int) ([]Held, error)

	// Owner says who owns calls, in order. The zero Ownership is a call that nobody
	// has stored.
	Owner(ctx context.Context, ids []dialogstore.ID) ([]Ownership, error)
}

// Node names one run of one node of a cluster. A process that is started anew under
// the same name is another run, and takes over what the runs before it owned at once.
type Node struct {
	Name string // unique in the cluster
	Run  string // of the process; unique among all runs of that name
}

// Pulse is what a beat returns.
type Pulse struct {
	// Generation changes when the registry has lost everything: whoever owns calls
	// puts them all again.
	Generation string
	// Buried says that others take me for dead and claim my calls.
	Buried bool
	// Nodes are all runs that are known, me among them.
	Nodes []Beating
}

// Beating is one run as the registry knows it.
type Beating struct {
	Node
	Count uint64 // of its beats; it has no other meaning than that it rises
	Left  bool   // it has called Leave since its last beat
	Dead  bool   // it was buried
}

// Key is a call in one epoch: the count of its owners so far, from 1.
type Key struct {
	dialogstore.ID
	Epoch uint64
}

// Entry is the state of a call as its owner puts it.
type Entry struct {
	Epoch  uint64
	Dialog dialogstore.Dialog // its Version tells states apart; its Session.Since is not stored
	Age    time.Duration      // how long ago Session.Since was
}

// Key names the call of e.
func (e *Entry) Key() Key { return Key{e.Dialog.ID, e.Epoch} }

// Claimed is what became of a claim.
type Claimed struct {
	Entry       // with the new epoch, and the age that the session has by now
	Err   error // nil, a *FencedError or ErrUnknown
}

// Held is a call that a node owns.
type Held struct {
	Key
	Left time.Duration // until its session expires; negative where it has; NoTimer without one
}

// NoTimer is the time left of a call without a session timer, which never expires. It
// comes after all others.
const NoTimer = time.Duration(1<<63 - 1)

// Ownership is who owns a call.
type Ownership struct {
	Owner Node
	Epoch uint64 // 0 where nobody does
}

// ErrUnknown says that the registry does not have a call.
var ErrUnknown = errors.New("failover: no such call in the registry")

// FencedError refuses what a node that no longer owns a call wants to do to it.
type FencedError struct {
	ID dialogstore.ID
	Ownership
}

// Error implements error.
func (e *FencedError) Error() string {
	if e.Owner == (Node{}) {
		return fmt.Sprintf("failover: call %q has ended in epoch %d", e.ID.CallID, e.Epoch)
	}
	return fmt.Sprintf("failover: call %q belongs to %s in epoch %d", e.ID.CallID, e.Owner.Name, e.Epoch)
}

package failover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Registry is what the nodes of a cluster share: who lives, who owns which call, and
// the latest state of each. Many goroutines and many nodes use one at once, and each
// method is atomic for each call that it names. Package failovertest is the suite for
// authors of a registry.
//
// A method returns when ctx ends, and a context that has ended gives its error. After
// an error the other results mean nothing, and what was asked for may have been done,
// in part or altogether: asking again is always harmless, and gives the result that
// was lost. Where a method has a result for each entry, one that is refused does not
// keep the others from being done; they are done in order. No entries, no error.
//
// No clock of a node is ever compared with that of another: a registry measures how
// much time passes between what it is told and what it tells, by a clock of its own,
// to the millisecond.
//
// Dialogs go in and out by copy; what their slices hold is read-only for both sides,
// and an append to a slice that was returned is harmless. IDs and nodes compare byte
// by byte. Epochs and versions stay below 2^53.
//
// Nothing stays for ever: see [KeepExpired], [KeepUntimed], [KeepDropped], [KeepSilent].
type Registry interface {
	// Beat says that me is alive, and returns what it may know of the others. A node
	// is known from its first Beat or Leave on: nobody learns of calls that it puts
	// before.
	Beat(ctx context.Context, me Node) (Pulse, error)

	// Leave says that me is about to stop: whatever it owns may be claimed at once.
	// Its next Beat takes that back.
	Leave(ctx context.Context, me Node) error

	// Bury says that node is dead and that its calls are being claimed. Should it live
	// after all, it learns of that with its next Beat, which takes it back. count is
	// what the caller saw last; where the node has beaten since, or is not known,
	// nothing is done and false returned. A second Bury of the same count does no more
	// than the first, and returns true like that.
	Bury(ctx context.Context, node Node, count uint64) (buried bool, err error)

	// Put stores the states of calls that me owns. One that is fenced is refused: the
	// call has a higher epoch, or the same and another owner, or was dropped in this
	// epoch or a later one. A higher epoch than the one stored makes me the owner.
	// In the same epoch a Version that is not newer than the one put last changes
	// nothing, and is no error; a claim begins anew, whatever was put before it. A call
	// that is missing is made. The result has for each entry nil or a *FencedError.
	Put(ctx context.Context, me Node, entries []Entry) ([]error, error)

	// Drop removes calls that have ended, those that are missing too, and remembers
	// that they have. It has the fence of Put, except that a call which was dropped in
	// the same epoch is no error.
	Drop(ctx context.Context, me Node, keys []Key) ([]error, error)

	// Claim makes me the owner of calls that from still owns in the epochs of keys,
	// and raises their epochs by one. The result has for each key the call as it is
	// owned now, or the *FencedError or ErrUnknown that says why it is not. Of a call
	// that me has claimed with the same key before, it gives the state once more.
	Claim(ctx context.Context, me, from Node, keys []Key) ([]Claimed, error)

	// Owned lists calls of a node, those that expire first before the others, limit at
	// most. It returns none for a node that owns nothing or is not known.
	Owned(ctx context.Context, owner Node, limit int) ([]Held, error)

	// Owner says who owns calls, in order.
	Owner(ctx context.Context, ids []dialogstore.ID) ([]Ownership, error)
}

// How long a registry keeps what nobody removes. It may take an hour longer each time.
const (
	// KeepExpired is how long a call with a session timer stays after its session has
	// expired.
	KeepExpired = time.Hour
	// KeepUntimed is how long a call without a session timer stays after its last Put
	// or Claim. A Put that changes nothing counts.
	KeepUntimed = 24 * time.Hour
	// KeepDropped is how long it is remembered of a call that it was dropped: longer
	// than a Put may be on its way.
	KeepDropped = 2 * time.Minute
	// KeepSilent is how long a node is known after its last Beat or Leave. One that
	// owns calls is known for as long as it does.
	KeepSilent = time.Hour
)

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
	// Buried counts how often others have taken me for dead. When it has risen they
	// claim my calls, and me asks which are still its own.
	Buried uint64
	// Nodes are all runs that are known, me among them, in no order.
	Nodes []Beating
}

// Beating is one run as the registry knows it.
type Beating struct {
	Node
	Count uint64 // of its beats; it means nothing but that the node lives when it changes
	Left  bool   // it has called Leave since its last beat
	Dead  bool   // it was buried since its last beat
}

// Key is a call in one epoch: the count of its owners so far, from 1.
type Key struct {
	dialogstore.ID
	Epoch uint64
}

// Entry is the state of a call as its owner puts it.
type Entry struct {
	Epoch  uint64
	Dialog dialogstore.Dialog // its Version tells states apart; its Session.Since comes back zero
	Age    time.Duration      // how long ago Session.Since was, in its place
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

// Ownership is who owns a call. The zero Ownership is a call that the registry does not
// have.
type Ownership struct {
	Owner Node   // the zero Node where the call has ended
	Epoch uint64 // in which it is owned, or was when it ended
}

// ErrUnknown says that the registry does not have a call.
var ErrUnknown = errors.New("failover: no such call in the registry")

// FencedError refuses what a node that does not own a call wants to do to it. It says
// who does.
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

package failover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Registry is what the nodes of a cluster share: which nodes are alive, who owns which
// call, and the latest state of each call. Any number of goroutines and nodes may call any
// method at once, and a method is atomic for each call that it names. Package failovertest
// is the test suite for authors of a registry.
//
// Methods return when ctx ends, with its error. After an error the other results are
// meaningless, and the request may have been carried out nevertheless, wholly or in part.
// Repeating it is always harmless, and returns the result that was lost.
//
// Put, Drop, Claim and Owner take batches, and return one result for each element, in
// order. They process a batch in order, and one refused element does not affect the
// others. An empty batch is not an error.
//
// Clocks of different nodes are never compared. A registry measures, with its own clock
// and to the millisecond, how much time passes between a write and a read.
//
// Dialogs go in and out by copy. The contents of their slices are read-only for both
// sides, and appending to a returned slice is harmless. IDs and nodes compare byte by
// byte. Epochs and versions start at 1 and stay below 2^53.
//
// Nothing is kept forever: see [KeepExpired], [KeepUntimed], [KeepDropped], [KeepSilent].
type Registry interface {
	// Beat reports that me is alive, and returns what me needs to know about the
	// cluster. Nodes are known from their first Beat or Leave on. Until then no node can
	// take over the calls that they put.
	Beat(ctx context.Context, me Node) (Pulse, error)

	// Leave announces that me is about to stop: its calls may be claimed at once. The
	// next Beat of me revokes it.
	Leave(ctx context.Context, me Node) error

	// Bury declares node dead, because the caller is about to claim its calls. If node
	// is alive after all, its next Beat reports the burial and revives it. count is the
	// Count that the caller saw last: if node has called Beat since then, or is unknown,
	// Bury changes nothing and returns false. Burying a node twice for the same count
	// counts as one burial, and returns true both times.
	Bury(ctx context.Context, node Node, count uint64) (buried bool, err error)

	// Put stores calls that me owns. Results are nil or a *FencedError.
	//
	// An entry is fenced if the registry has the call with a higher epoch, or with the
	// same epoch and another owner, or if it was dropped in the same epoch or a later
	// one. An entry with a higher epoch than the stored one makes me the owner.
	// Within an epoch, an entry whose Version is not newer than that of the last Put
	// changes nothing, and its result is nil. A claim starts a new epoch, so that any
	// Version is newer after it. A missing call is created.
	Put(ctx context.Context, me Node, entries []Entry) ([]error, error)

	// Drop removes calls that have ended, and remembers that they have ended, even if they
	// are missing. Results are nil or a *FencedError, by the rule of Put, except that
	// dropping a call twice in the same epoch is not an error.
	Drop(ctx context.Context, me Node, keys []Key) ([]error, error)

	// Claim makes me the owner of the calls that from still owns in the epochs of keys,
	// and raises these epochs by one. Each result is the call with its new epoch, or
	// has a *FencedError or ErrUnknown as its Err. Claiming a call again with the same
	// key, while me still owns it in the epoch after that, changes nothing and returns
	// its latest state. If that state cannot be used, Err is a *CorruptError and only the
	// ID of the Dialog is set; me owns the call all the same, and should drop it.
	Claim(ctx context.Context, me, from Node, keys []Key) ([]Claimed, error)

	// Owned returns up to limit calls of owner, those that expire first at the front. For
	// a node that owns nothing or is unknown it returns none.
	Owned(ctx context.Context, owner Node, limit int) ([]Held, error)

	// Owner returns who owns the calls with the given IDs, in order.
	Owner(ctx context.Context, ids []dialogstore.ID) ([]Ownership, error)
}

// How long a registry keeps calls and nodes that are not removed. It may keep them up to an
// hour longer.
const (
	// KeepExpired is how long a call with a session timer stays after its session has
	// expired.
	KeepExpired = time.Hour
	// KeepUntimed is how long a call without a session timer stays after its last Claim
	// or Put, including a Put that changes nothing.
	KeepUntimed = 24 * time.Hour
	// KeepDropped is how long the registry remembers that a call was dropped. No Put takes
	// that long.
	KeepDropped = 2 * time.Minute
	// KeepSilent is how long a node stays known after its last Beat or Leave. A node
	// that owns calls stays known for as long as it owns them.
	KeepSilent = time.Hour
)

// Node identifies one run of one node of a cluster. A process that restarts under the same
// name is another run, and takes back the calls of the earlier runs at once.
type Node struct {
	Name string // unique in the cluster
	Run  string // of the process; unique among all runs with that name
}

// Pulse is the result of a beat.
type Pulse struct {
	// Generation changes when the registry has lost everything. Owners of calls then
	// put all of them again.
	Generation string
	// Buried counts how often the node that beats was declared dead. When it has risen,
	// others are claiming its calls, and the node must ask which ones it still owns.
	Buried uint64
	// Nodes lists all known runs, including the one that beats, in no particular order.
	Nodes []Beating
}

// Beating is one run as the registry knows it.
type Beating struct {
	Node
	Count uint64 // of its beats: rises with each of them
	Left  bool   // has called Leave since its last beat
	Dead  bool   // was buried since its last beat
}

// Key identifies a call in one epoch. The epoch counts the owners of the call, from 1.
type Key struct {
	dialogstore.ID
	Epoch uint64
}

// Entry is the state of a call that its owner puts.
type Entry struct {
	Epoch  uint64
	Dialog dialogstore.Dialog // Version tells states apart. Session.Since is not stored: see Age
	Age    time.Duration      // time since Session.Since
}

// Key returns the key of e.
func (e *Entry) Key() Key { return Key{e.Dialog.ID, e.Epoch} }

// Claimed is the result of a claim.
type Claimed struct {
	Entry       // with the new epoch and the current age; its Session.Since is zero
	Err   error // nil, a *FencedError, ErrUnknown or a *CorruptError
}

// Held is a call that a node owns.
type Held struct {
	Key
	Left time.Duration // until the session expires; negative afterwards; NoTimer without a timer
}

// NoTimer is the time left of a call without a session timer, which never expires. It sorts
// after all others.
const NoTimer = time.Duration(1<<63 - 1)

// Ownership is who owns a call. It is zero for a call that the registry does not have.
type Ownership struct {
	Owner Node   // zero if the call has ended
	Epoch uint64 // the current one, or the one in which the call ended
}

// ErrUnknown is the error of a claim of a call that the registry does not have.
var ErrUnknown = errors.New("failover: no such call in the registry")

// FencedError refuses a write by a node that does not own the call, and names the owner.
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

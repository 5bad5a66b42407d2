package client

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/ownership"
)

// Ownership says which calls this node still owns. It is implemented by *ownership.Node,
// which documents the methods, and by Sole.
type Ownership interface {
	Key(id dialogstore.ID) failover.Key
	Shared() bool
	MayRefresh(ctx context.Context, k failover.Key) bool
	MayHangUp(ctx context.Context, k failover.Key, over bool) bool
	Refused(ctx context.Context, k failover.Key) (a ownership.Answer, jump bool)
}

// Sole is the Ownership without failover: this node owns all calls.
type Sole struct{}

// Key returns the key of the call, in epoch 1.
func (Sole) Key(id dialogstore.ID) failover.Key { return failover.Key{ID: id, Epoch: 1} }

// Shared returns false.
func (Sole) Shared() bool { return false }

// MayRefresh returns true.
func (Sole) MayRefresh(context.Context, failover.Key) bool { return true }

// MayHangUp returns true.
func (Sole) MayHangUp(context.Context, failover.Key, bool) bool { return true }

// Refused returns ownership.Mine and no jump.
func (Sole) Refused(context.Context, failover.Key) (ownership.Answer, bool) {
	return ownership.Mine, false
}

// permission returns an error if a request of the timers must not be sent, because another
// node may own the call.
type permission func(ctx context.Context, o Ownership, k failover.Key) error

var (
	// errNotOurs says that another node serves the call.
	errNotOurs = errors.New("middleware: another node owns the call")
	// errMaybeNotOurs says that another node may serve the call.
	errMaybeNotOurs = errors.New("middleware: the registry did not answer which node owns the call")
)

// toRefresh is the permission of a refresh.
func toRefresh(ctx context.Context, o Ownership, k failover.Key) error {
	if !o.MayRefresh(ctx, k) {
		return errNotOurs
	}
	return nil
}

// justAsked is how long a call counts as ours after the registry has said so, if it does not
// answer again.
const justAsked = time.Second

// toHangUp returns the permission of a BYE in a call that was ours just now and has ended
// here since: nobody else would tell the peer. With over, the call is over for the peer
// anyway.
func toHangUp(over bool) permission {
	asked := time.Now()
	return func(ctx context.Context, o Ownership, k failover.Key) error {
		if !o.MayHangUp(ctx, k, over || time.Since(asked) < justAsked) {
			return errMaybeNotOurs
		}
		return nil
	}
}

package client

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/ownership"
)

// Ownership knows which calls this node still owns. It is implemented by *ownership.Node,
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
	// errNotOurs means that another node serves the call.
	errNotOurs = errors.New("middleware: another node owns the call")
	// errMaybeNotOurs means that another node may serve the call.
	errMaybeNotOurs = errors.New("middleware: the registry did not answer which node owns the call")
)

// toRefresh is the permission of a refresh.
func toRefresh(ctx context.Context, o Ownership, k failover.Key) error {
	if !o.MayRefresh(ctx, k) {
		return errNotOurs
	}
	return nil
}

// justAsked is how long a call counts as ours after the registry has confirmed it, if the
// registry does not answer again.
const justAsked = time.Second

// toHangUp returns the permission of a BYE in a call that was ours a moment ago and has now
// ended here, so that no other node would send one. over is true if the call is over for the
// peer anyway.
func toHangUp(over bool) permission {
	asked := time.Now()
	return func(ctx context.Context, o Ownership, k failover.Key) error {
		if !o.MayHangUp(ctx, k, over || time.Since(asked) < justAsked) {
			return errMaybeNotOurs
		}
		return nil
	}
}

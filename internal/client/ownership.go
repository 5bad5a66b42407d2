package client

import (
	"context"
	"errors"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/ownership"
)

// Ownership says which calls are still this node's: an *ownership.Node, or Sole.
type Ownership interface {
	Key(id dialogstore.ID) failover.Key
	MayRefresh(ctx context.Context, k failover.Key) bool
	MayHangUp(ctx context.Context, k failover.Key, over bool) bool
	Refused(ctx context.Context, k failover.Key) (a ownership.Answer, jump bool)
}

// Sole is the ownership of a node that shares its calls with nobody.
type Sole struct{}

// Key names the call.
func (Sole) Key(id dialogstore.ID) failover.Key { return failover.Key{ID: id, Epoch: 1} }

// MayRefresh returns true.
func (Sole) MayRefresh(context.Context, failover.Key) bool { return true }

// MayHangUp returns true.
func (Sole) MayHangUp(context.Context, failover.Key, bool) bool { return true }

// Refused says that the call is ours.
func (Sole) Refused(context.Context, failover.Key) (ownership.Answer, bool) {
	return ownership.Mine, false
}

// permission is what a request of our own needs to be sent.
type permission func(ctx context.Context, o Ownership, k failover.Key) error

var (
	// errNotOurs says that another node serves the call.
	errNotOurs = errors.New("middleware: the call is another node's")
	// errMaybeNotOurs says that another node may serve the call.
	errMaybeNotOurs = errors.New("middleware: the registry does not say whose call it is")
)

// toRefresh is the permission for a refresh.
func toRefresh(ctx context.Context, o Ownership, k failover.Key) error {
	if !o.MayRefresh(ctx, k) {
		return errNotOurs
	}
	return nil
}

// toHangUp is the permission for a BYE; over says that the call is over in any case.
func toHangUp(over bool) permission {
	return func(ctx context.Context, o Ownership, k failover.Key) error {
		if !o.MayHangUp(ctx, k, over) {
			return errMaybeNotOurs
		}
		return nil
	}
}

package ownership

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// estate is the calls that a gone node has left behind.
type estate struct {
	gone
	page    int            // how many of its calls to list
	unsure  []failover.Key // calls whose claim got no answer
	closed  bool           // the node is no longer gone
	empty   bool           // it had no calls at the last look
	idle    int            // consecutive looks that found nothing to claim
	again   time.Time      // when to look again
	claimed int            // how many calls we have taken over, for the log
}

// claimPage lists a page of calls and claims those that are due. It returns how many calls
// were taken over and, if none was, when to look again; zero if there is nothing to wait
// for.
func (c *claimer) claimPage(e *estate, v *view) (n int, due time.Time, err error) {
	if n, err = c.settleUnsure(e); n > 0 || err != nil || e.closed {
		return n, due, err
	}
	if err := c.bury(e); err != nil {
		return 0, due, err
	}
	owner, page := e.Node, e.page // copies: the question may still run after ask has returned
	held, err := ask(c.alive, c.Node, c.places, c.patience(), func(ctx context.Context) ([]failover.Held, error) {
		return c.cfg.Registry.Owned(ctx, owner, page)
	})
	if err != nil {
		return 0, due, err
	}
	e.empty = len(held) == 0
	keys, due := c.due(e, v, held)
	if keys, err = c.eligible(e, keys); err != nil {
		return 0, due, err
	}
	for at := 0; at < len(keys); at += claimBatch {
		if at > 0 {
			if err := c.bury(e); err != nil {
				return n, due, err
			}
		}
		ours, err := c.claim(e, keys[at:min(len(keys), at+claimBatch)])
		if n += ours; err != nil {
			return n, due, err
		}
	}
	if e.pageAfter(n, len(held)) {
		due = time.Now().Add(lookFurther)
	} else if len(keys) > 0 {
		due = time.Now().Add(c.cfg.Settings.Beat) // other nodes were faster, and are still claiming
	}
	return n, due, nil
}

// pageAfter doubles the page if a full one had nothing to claim: the calls for this node may
// come after it. It reports whether it did.
func (e *estate) pageAfter(claimed, held int) (larger bool) {
	if claimed > 0 {
		e.page = pageSize
	}
	larger = claimed == 0 && held == e.page && e.page < mostPaged
	if larger {
		e.page *= 2
	}
	return larger
}

// errNotDead means that a node has sent a beat since, or that we cannot know.
var errNotDead = errors.New("ownership: the node may be alive")

// bury declares a node dead in the registry, before any of its calls is claimed. It returns
// errNotDead if the node has sent a beat since. A node that has left, and earlier runs of
// this node, need not be buried.
func (c *claimer) bury(e *estate) error {
	if c.view() == nil {
		return errNotDead
	}
	if e.how != Died {
		return nil
	}
	node, count := e.Node, e.count
	dead, err := ask(c.alive, c.Node, c.places, c.patience(), func(ctx context.Context) (bool, error) {
		return c.cfg.Registry.Bury(ctx, node, count)
	})
	if err == nil && !dead {
		err = errNotDead
	}
	return err
}

// due returns the calls that this node should claim now, in the order of held, and when the
// next one is due.
func (c *claimer) due(e *estate, v *view, held []failover.Held) (keys []failover.Key, next time.Time) {
	now := time.Now()
	for i := range held {
		at := e.since
		if e.how != Earlier {
			at = at.Add(time.Duration(rank(held[i].ID, c.mine, v.others)) * rankEvery)
		}
		switch {
		case !now.Before(at):
			keys = append(keys, held[i].Key)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	return keys, next
}

// claim claims calls and adopts them. It returns how many were taken over.
func (c *claimer) claim(e *estate, keys []failover.Key) (ours int, err error) {
	from := e.Node
	claimed, err := askAll(c.alive, c.Node, len(keys), func(ctx context.Context) ([]failover.Claimed, error) {
		return c.cfg.Registry.Claim(ctx, c.me, from, keys)
	})
	if err != nil {
		e.unsure = keys
		return 0, err
	}
	for i := range claimed {
		if err := claimed[i].Err; err != nil && !lost(err) && !corrupt(err) {
			c.cfg.Logger.Error("cannot take over a call", "call_id", keys[i].CallID, "local_tag", keys[i].LocalTag,
				"remote_tag", keys[i].RemoteTag, "error", err)
		}
	}
	ours = c.adopt(&e.gone, claimed)
	e.claimed += ours
	return ours, nil
}

// lost reports whether err means that another node was faster, or that the call has ended.
func lost(err error) bool {
	var fenced *failover.FencedError
	return errors.As(err, &fenced) || errors.Is(err, failover.ErrUnknown)
}

// corrupt reports whether err means that the stored dialog cannot be used. adopt logs and
// drops such a call.
func corrupt(err error) bool {
	var c *failover.CorruptError
	return errors.As(err, &c)
}

// settleUnsure resolves claims that got no answer. It asks the registry who owns the calls,
// and adopts those that the claim has made ours. The others may be claimed again.
func (c *claimer) settleUnsure(e *estate) (ours int, err error) {
	if len(e.unsure) == 0 {
		return 0, nil
	}
	ids := idsOf(e.unsure)
	owners, err := askAll(c.alive, c.Node, len(ids), func(ctx context.Context) ([]failover.Ownership, error) {
		return c.cfg.Registry.Owner(ctx, ids)
	})
	if err != nil {
		return 0, err
	}
	var done []failover.Key
	for i, k := range e.unsure {
		if owners[i] == (failover.Ownership{Owner: c.me, Epoch: k.Epoch + 1}) {
			done = append(done, k)
		}
	}
	if e.unsure = nil; len(done) == 0 {
		return 0, nil
	}
	return c.claim(e, done)
}

func idsOf(keys []failover.Key) []dialogstore.ID {
	ids := make([]dialogstore.ID, len(keys))
	for i := range keys {
		ids[i] = keys[i].ID
	}
	return ids
}

package ownership

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

const (
	// rankEvery is how much later each next node in the order of a call claims it.
	rankEvery = time.Second
	// claimBatch is how many calls are claimed at a time; they are adopted before the
	// next ones are claimed.
	claimBatch = 200
	// pageSize is how many calls of a node are looked at, and mostPaged how many are
	// where none of those before may be claimed.
	pageSize  = 1024
	mostPaged = 1 << 20
	// lookFurther is the time until the next page, where it is larger.
	lookFurther = 50 * time.Millisecond
	// longestLook is the longest time between two looks at what a dead node still owns.
	longestLook = time.Minute
)

// claimer takes over the calls of nodes that are gone. It is one goroutine's.
type claimer struct {
	*Node
	estates map[failover.Node]*estate
	mine    uint64 // hash of our name
	orphans orphans
}

// estate is what a node that is gone has left.
type estate struct {
	gone
	page    int            // how many of its calls to look at
	unsure  []failover.Key // claimed, with an answer that was lost
	closed  bool           // the node is not gone any more
	empty   bool           // there was nothing left when it was looked at last
	idle    int            // how often in turn there was nothing to claim
	again   time.Time      // when to look again
	claimed int            // of its calls, by us
}

func (n *Node) claims() {
	c := &claimer{Node: n, estates: make(map[failover.Node]*estate), mine: nameHash(n.me.Name)}
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-n.looked:
		case <-wait.C:
		case <-n.alive.Done():
			return
		}
		wait.Reset(time.Until(c.round(time.Now())))
	}
}

// round has a look at each estate whose time has come, and returns when to come again.
func (c *claimer) round(now time.Time) (next time.Time) {
	next = now.Add(longestLook)
	v := c.view()
	if v == nil {
		return next // the next good beat wakes us
	}
	c.enter(v)
	resumed := true
	for _, e := range c.estates {
		if !now.Before(e.again) {
			c.settle(e, v)
		}
		if e.again.Before(next) {
			next = e.again
		}
		resumed = resumed && (e.how != Earlier || e.empty)
	}
	if resumed {
		c.finish()
	}
	if again := c.orphans.look(c.Node); !again.IsZero() && again.Before(next) {
		next = again
	}
	return next
}

// view is how things are, if there is nothing to say against a takeover: our own beats
// are good, and nobody takes us for dead.
func (c *claimer) view() *view {
	if !c.Good() {
		return nil
	}
	return c.seen.Load()
}

// enter opens and closes estates. One with claims whose outcome is not known stays.
func (c *claimer) enter(v *view) {
	there := make(map[failover.Node]bool, len(v.gone))
	for _, g := range v.gone {
		there[g.Node] = true
		e := c.estates[g.Node]
		if e == nil {
			e = &estate{page: pageSize}
			c.estates[g.Node] = e
		}
		if e.since != g.since {
			e.gone, e.idle, e.again = g, 0, time.Time{}
		}
		e.gone = g
	}
	for node, e := range c.estates {
		if e.closed = !there[node]; e.closed && len(e.unsure) == 0 {
			delete(c.estates, node)
		}
	}
}

// finish says that all which earlier runs of this node owned is its own.
func (c *claimer) finish() {
	select {
	case <-c.resumed:
	default:
		close(c.resumed)
	}
}

// settle claims a page of an estate, and says when to look again.
func (c *claimer) settle(e *estate, v *view) {
	n, due, err := c.claimPage(e, v)
	now := time.Now()
	switch {
	case errors.Is(err, errNotDead):
		e.again = now.Add(c.cfg.Settings.Beat)
	case err != nil:
		c.trouble.begin(now, err)
		e.again = now.Add(c.cfg.Settings.Beat)
	case n > 0:
		e.idle, e.again = 0, now
	case !due.IsZero():
		e.idle, e.again = 0, due
	default:
		e.idle++
		e.again = now.Add(min(longestLook, c.cfg.Settings.Lease/2<<min(e.idle, 10)))
	}
	if e.empty && e.claimed > 0 {
		c.cfg.Logger.Info("calls of another node taken over", "node", c.me.Name, "from", e.Name, "how", e.how.String(), "calls", e.claimed)
		e.claimed = 0
	}
}

// claimPage claims what is due of a page. It returns for how many calls there was an
// answer, and otherwise when the next one is due, if any is.
func (c *claimer) claimPage(e *estate, v *view) (n int, due time.Time, err error) {
	if err := c.settleUnsure(e); err != nil || e.closed {
		return 0, due, err
	}
	if err := c.bury(e); err != nil {
		return 0, due, err
	}
	held, err := ask(c.alive, c.Node, c.places, c.patience(), func(ctx context.Context) ([]failover.Held, error) {
		return c.cfg.Registry.Owned(ctx, e.Node, e.page)
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
		batch := keys[at:min(len(keys), at+claimBatch)]
		if err := c.claim(e, batch); err != nil {
			return n, due, err
		}
		n += len(batch)
	}
	if e.pageAfter(n, len(held)) {
		due = time.Now().Add(lookFurther)
	}
	return n, due, nil
}

// pageAfter has the next page be larger where a full one had nothing to claim: what is
// ours to claim may be behind it. It reports whether that is so.
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

// errNotDead says that a node is not as it was seen, or that we cannot know.
var errNotDead = errors.New("ownership: the node may live")

// bury says that a node is dead before anything is claimed of it. It is not if it has
// beaten since. No other way of being gone needs that.
func (c *claimer) bury(e *estate) error {
	if c.view() == nil {
		return errNotDead
	}
	if e.how != Died {
		return nil
	}
	dead, err := ask(c.alive, c.Node, c.places, c.patience(), func(ctx context.Context) (bool, error) {
		return c.cfg.Registry.Bury(ctx, e.Node, e.count)
	})
	if err == nil && !dead {
		err = errNotDead
	}
	return err
}

// due is what of the calls held this node claims now, in their order, and when the next
// one is due.
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

// eligible is what of the keys this node may serve: its own in any case.
func (c *claimer) eligible(e *estate, keys []failover.Key) ([]failover.Key, error) {
	may := c.cfg.Settings.Eligible
	if may == nil || e.how == Earlier {
		return keys, nil
	}
	var left []failover.Key
	for len(keys) > 0 {
		batch := keys[:min(len(keys), claimBatch)]
		keys = keys[len(batch):]
		entries, err := c.read(batch)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			if entries[i].Epoch == batch[i].Epoch && c.mayServe(may, entries[i].Dialog) {
				left = append(left, batch[i])
			}
		}
	}
	return left, nil
}

func (c *claimer) read(keys []failover.Key) ([]failover.Entry, error) {
	ids := idsOf(keys)
	return askAll(c.alive, c.Node, len(ids), func(ctx context.Context) ([]failover.Entry, error) {
		return c.cfg.Registry.(failover.Reader).Read(ctx, ids)
	})
}

func (c *claimer) mayServe(may func(dialogstore.Dialog) bool, d dialogstore.Dialog) (yes bool) {
	defer c.contain(d.ID)
	return may(d)
}

// claim claims calls and adopts those that it got.
func (c *claimer) claim(e *estate, keys []failover.Key) error {
	claimed, err := askAll(c.alive, c.Node, len(keys), func(ctx context.Context) ([]failover.Claimed, error) {
		return c.cfg.Registry.Claim(ctx, c.me, e.Node, keys)
	})
	if err != nil {
		e.unsure = keys
		return err
	}
	e.claimed += c.adopt(&e.gone, claimed)
	return nil
}

// settleUnsure asks for the answer to a claim once more that was lost: what is ours by
// now is adopted, and the rest as it was before.
func (c *claimer) settleUnsure(e *estate) error {
	if len(e.unsure) == 0 {
		return nil
	}
	ids := idsOf(e.unsure)
	owners, err := askAll(c.alive, c.Node, len(ids), func(ctx context.Context) ([]failover.Ownership, error) {
		return c.cfg.Registry.Owner(ctx, ids)
	})
	if err != nil {
		return err
	}
	var ours []failover.Key
	for i, k := range e.unsure {
		if owners[i] == (failover.Ownership{Owner: c.me, Epoch: k.Epoch + 1}) {
			ours = append(ours, k)
		}
	}
	if e.unsure = nil; len(ours) == 0 {
		return nil
	}
	return c.claim(e, ours)
}

func idsOf(keys []failover.Key) []dialogstore.ID {
	ids := make([]dialogstore.ID, len(keys))
	for i := range keys {
		ids[i] = keys[i].ID
	}
	return ids
}

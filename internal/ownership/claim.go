package ownership

import (
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

const (
	// rankEvery is the delay of a node before it claims a call, for each node that precedes
	// it in the order of that call: see rank.
	rankEvery = time.Second
	// claimBatch is how many calls are claimed at once. They are adopted before the next
	// ones are claimed.
	claimBatch = 200
	// pageSize is how many calls of a dead node are listed. The number grows to mostPaged
	// if none of those listed may be claimed.
	pageSize  = 1024
	mostPaged = 1 << 20
	// lookFurther is the pause before a larger page is listed.
	lookFurther = 50 * time.Millisecond
	// longestLook is the longest time between two looks at the calls of a dead node.
	longestLook = time.Minute
)

// claimer takes over the calls of nodes that are gone. It is used by one goroutine.
type claimer struct {
	*Node
	estates map[failover.Node]*estate
	mine    uint64 // nameHash of our name
	orphans orphans
}

func (n *Node) claims() {
	c := &claimer{Node: n, estates: make(map[failover.Node]*estate), mine: nameHash(n.me.Name)}
	wait := time.NewTimer(0)
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

// round handles each estate that is due, and returns when the next one is.
func (c *claimer) round(now time.Time) (next time.Time) {
	next = now.Add(longestLook)
	v := c.view()
	if v == nil {
		return next // the next good beat wakes this goroutine
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

// view returns the latest view of the other nodes; nil if this node must not take calls
// over, because its own beats fail or others consider it dead.
func (c *claimer) view() *view {
	if !c.Good() {
		return nil
	}
	return c.seen.Load()
}

// enter opens the estates of nodes that are gone in v, and closes those of nodes that are
// not. An estate with claims whose result is unknown stays.
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

// finish notes that this node owns all calls of its earlier runs again.
func (c *claimer) finish() {
	select {
	case <-c.resumed:
	default:
		close(c.resumed)
	}
}

// settle claims calls of an estate, and sets when to look again.
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

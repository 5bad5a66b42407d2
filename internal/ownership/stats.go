package ownership

import (
	"sync/atomic"
	"time"
)

// Delays are the bounds of Stats.Delayed.
var Delays = [...]time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 7 * time.Second, 10 * time.Second,
	15 * time.Second, 30 * time.Second, time.Minute}

// Stats are the statistics of a node. Counters count from New on.
type Stats struct {
	Nodes    int           // nodes that this one considers alive, with itself
	Owned    int           // calls of this node
	Waiting  int           // calls whose latest state is not in the registry yet
	LeaseAge time.Duration // since the last good beat was sent; negative before the first
	Degraded bool          // the registry cannot be reached, or could not be a moment ago

	Kept    uint64 // calls taken over that go on
	Ended   uint64 // calls taken over that were hung up
	Refused uint64 // calls dropped because the stored dialog was not usable

	// Delayed counts takeovers by the time since the former owner was last seen alive: up to
	// each of Delays, and in the last element the longer ones. Slowest is the longest of
	// these times, Delay their sum.
	Delayed [len(Delays) + 1]uint64
	Delay   time.Duration
	Slowest time.Duration

	Fenced [fences]uint64 // calls released, by Fence
}

type counters struct {
	nodes, writing       atomic.Int64
	kept, ended, refused atomic.Uint64
	delayed              [len(Delays) + 1]atomic.Uint64
	delay, slowest       atomic.Int64
	fenced               [fences]atomic.Uint64
}

func (c *counters) tookOver(d *atomic.Uint64, after time.Duration) {
	d.Add(1)
	i := 0
	for i < len(Delays) && after > Delays[i] {
		i++
	}
	c.delayed[i].Add(1)
	c.delay.Add(int64(after))
	for {
		slowest := c.slowest.Load()
		if int64(after) <= slowest || c.slowest.CompareAndSwap(slowest, int64(after)) {
			return
		}
	}
}

// Stats returns the current statistics.
func (n *Node) Stats() Stats {
	c := &n.stats
	s := Stats{
		Nodes:    int(c.nodes.Load()),
		Owned:    n.Memory.Len(),
		Waiting:  n.waiting(),
		LeaseAge: -1,
		Degraded: n.trouble.on.Load(),
		Kept:     c.kept.Load(),
		Ended:    c.ended.Load(),
		Refused:  c.refused.Load(),
		Delay:    time.Duration(c.delay.Load()),
		Slowest:  time.Duration(c.slowest.Load()),
	}
	if sent := n.lease.sent.Load(); sent != nil {
		s.LeaseAge = sent.age(time.Now())
	}
	for i := range c.delayed {
		s.Delayed[i] = c.delayed[i].Load()
	}
	for i := range c.fenced {
		s.Fenced[i] = c.fenced[i].Load()
	}
	return s
}

package ownership

import (
	"sync/atomic"
	"time"
)

// Delays are the bounds of what Stats counts takeovers by.
var Delays = [...]time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 7 * time.Second, 10 * time.Second,
	15 * time.Second, 30 * time.Second, time.Minute}

// Stats are figures of a node. What is counted is so since it was made.
type Stats struct {
	Nodes    int           // that live, as this one sees it
	Owned    int           // calls
	Waiting  int           // calls of which the registry is to hear
	LeaseAge time.Duration // since the last good beat was sent; negative before the first
	Degraded bool          // the registry is out of reach, or was just now

	Kept    uint64 // takeovers by what became of the call
	Ended   uint64
	Refused uint64 // what was stored made no sense

	// Delayed counts takeovers by the time since the former owner was last seen: at most
	// each of Delays, and last those that took longer. Slowest is the longest, Delay the sum.
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

// Stats returns the figures as they are now.
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

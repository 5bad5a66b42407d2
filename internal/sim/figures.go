package sim

import (
	"fmt"
	"slices"
	"time"
)

// Figures sum up runs.
type Figures struct {
	Seeds      int
	CallTime   time.Duration
	Calls      int
	Refreshes  int             // accepted, in either direction
	Takeovers  int             // calls that another life continued
	Delays     []time.Duration // of takeovers after a crash, while the registry was healthy
	Fenced     Fenced
	Violations int
}

// Fenced counts calls that nodes released, by how they noticed that another node owned them.
type Fenced struct{ Peer, Registry, Lease uint64 }

// count adds the counts of a life of n that ends.
func (f *Fenced) count(n *node) {
	if s := n.ua.Timers.Stats().Node; s != nil {
		f.Peer += s.FencedByPeer
		f.Registry += s.FencedByRegistry
		f.Lease += s.FencedByLease
	}
}

// Add adds the figures of other runs.
func (f *Figures) Add(o Figures) {
	f.Seeds += o.Seeds
	f.CallTime += o.CallTime
	f.Calls += o.Calls
	f.Refreshes += o.Refreshes
	f.Takeovers += o.Takeovers
	f.Delays = append(f.Delays, o.Delays...)
	f.Violations += o.Violations
	f.Fenced.Peer += o.Fenced.Peer
	f.Fenced.Registry += o.Fenced.Registry
	f.Fenced.Lease += o.Fenced.Lease
}

// String returns the figures as one line.
func (f Figures) String() string {
	slices.Sort(f.Delays)
	p99, longest := time.Duration(0), time.Duration(0)
	if n := len(f.Delays); n > 0 {
		p99, longest = f.Delays[n*99/100], f.Delays[n-1]
	}
	return fmt.Sprintf("%d seeds, %d calls, %.0f call-hours, %d refreshes, %d takeovers (after a crash p99 %.1f s, max %.1f s), fenced by peer %d, registry %d, lease %d, %d violations",
		f.Seeds, f.Calls, f.CallTime.Hours(), f.Refreshes, f.Takeovers, p99.Seconds(), longest.Seconds(),
		f.Fenced.Peer, f.Fenced.Registry, f.Fenced.Lease, f.Violations)
}

func (w *world) figures() Figures {
	f := Figures{Seeds: 1, Violations: len(w.found), Fenced: w.fenced}
	for _, p := range w.peers {
		for _, c := range p.calls {
			if c.Began > 0 {
				f.add(w, c)
			}
		}
	}
	return f
}

func (f *Figures) add(w *world, c *Call) {
	f.Calls++
	end := c.Ended
	if end == 0 {
		end = w.now()
	}
	f.CallTime += end - c.Began
	for i := range c.Ledger {
		if e := &c.Ledger[i]; e.Refresh() && e.Accepted() && e.At > c.Began {
			f.Refreshes++
		}
	}
	if w.registry == nil {
		return
	}
	for _, g := range w.registry.grantsOf(c) {
		if g.from == g.to || g.from.Name == "" || g.served == 0 {
			continue
		}
		f.Takeovers++
		former, taker := w.registry.lifeOf(g.from), w.registry.lifeOf(g.to)
		if died, crashed := former.end(); crashed && died < g.at && w.registry.healthy(taker.n, died, g.served) {
			f.Delays = append(f.Delays, g.served-died)
		}
	}
}

// end returns when that life ended; false if it handed its calls over, or still runs.
func (l life) end() (at time.Duration, crashed bool) {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	if l.count > len(l.n.deaths) {
		return 0, false
	}
	at = l.n.deaths[l.count-1]
	return at, !slices.Contains(l.n.departures, at)
}

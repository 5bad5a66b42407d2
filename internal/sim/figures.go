package sim

import (
	"fmt"
	"time"
)

// Figures are what runs have come to.
type Figures struct {
	Seeds      int
	CallTime   time.Duration
	Calls      int
	Refreshes  int // accepted, in either direction
	Violations int
}

// Add adds those of other runs.
func (f *Figures) Add(o Figures) {
	f.Seeds += o.Seeds
	f.CallTime += o.CallTime
	f.Calls += o.Calls
	f.Refreshes += o.Refreshes
	f.Violations += o.Violations
}

// String is the line.
func (f Figures) String() string {
	return fmt.Sprintf("%d seeds, %d calls, %.0f call-hours, %d refreshes, %d violations",
		f.Seeds, f.Calls, f.CallTime.Hours(), f.Refreshes, f.Violations)
}

func (w *world) figures() Figures {
	f := Figures{Seeds: 1, Violations: len(w.found)}
	for _, p := range w.peers {
		for _, c := range p.calls {
			if c.Began == 0 {
				continue
			}
			f.Calls++
			end := c.Ended
			if end == 0 {
				end = w.now()
			}
			f.CallTime += end - c.Began
			for _, e := range c.Ledger {
				if e.Refresh() && e.Accepted() && e.At > c.Began {
					f.Refreshes++
				}
			}
		}
	}
	return f
}

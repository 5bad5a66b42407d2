package ownership

import (
	"iter"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// sweepEvery is how often all calls are written again without a known reason. This restores
// calls that the registry has lost unnoticed, and keeps calls without a timer from being
// forgotten.
const sweepEvery = failover.KeepUntimed / 4

// sweeps write all calls of this node again: after the registry was emptied, or to find out
// which calls others have claimed, since those writes are refused. The fields after wanted
// belong to the writer goroutine.
type sweeps struct {
	wanted time.Time // when the next sweep may begin; zero for none; guarded by n.mu

	next func() (dialogstore.Dialog, error, bool) // nil while there is no sweep
	stop func()
	over bool // the last batch is being written
}

// writeAll requests a sweep, to begin at the given time or with the beat after it.
func (n *Node) writeAll(from time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sweeps.wanted = from
}

// sweepInto fills a batch with calls of the sweep.
func (n *Node) sweepInto(batch []marked) []marked {
	n.beginSweep(time.Now())
	s := &n.sweeps
	if s.next == nil {
		return batch
	}
	for len(batch) < batchSize {
		d, err, ok := s.next()
		if !ok || err != nil {
			s.over = true
			break
		}
		if !n.isUnproved(d.ID) {
			batch = append(batch, marked{id: d.ID})
		}
	}
	return batch
}

func (n *Node) beginSweep(now time.Time) {
	n.mu.Lock()
	begins := !n.sweeps.wanted.IsZero() && !now.Before(n.sweeps.wanted)
	if begins {
		n.sweeps.wanted = time.Time{}
	}
	n.mu.Unlock()
	if begins {
		n.endSweep()
		n.sweeps.next, n.sweeps.stop = iter.Pull2(n.Memory.All(n.ctx))
	}
}

// swept notes whether a batch was written. After the last one, we know which calls are our
// own, and are no longer suspect.
func (n *Node) swept(written bool) {
	s := &n.sweeps
	switch {
	case !written && n.lease.suspect.Load():
		n.writeAll(time.Now())
	case written && s.over:
		n.mu.Lock()
		if s.wanted.IsZero() {
			n.lease.suspect.Store(false)
		}
		n.mu.Unlock()
		n.endSweep()
	}
}

func (n *Node) endSweep() {
	if n.sweeps.next != nil {
		n.sweeps.stop()
		n.sweeps.next, n.sweeps.stop, n.sweeps.over = nil, nil, false
	}
}

func (n *Node) isUnproved(id dialogstore.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.held[id].unproved
}

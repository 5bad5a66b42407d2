package ownership

import (
	"context"
	"errors"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

const (
	// backlogEvery takes the place of Settings.Flush while more calls wait than fit into a
	// batch. It limits the load after an outage, when all nodes have much to write at the
	// same time.
	backlogEvery = 15 * time.Millisecond
	batchSize    = 500
	// longestBackoff is the longest time between two attempts while writes fail.
	longestBackoff = 2 * time.Second
)

// writeBehind writes the changes to the registry, one batch after the other, so that an old
// state cannot overwrite a newer one. It ends with the node.
func (n *Node) writeBehind() {
	defer n.endSweep()
	var batch []marked
	failures := 0
	for {
		begun := time.Now()
		batch = n.nextBatch(batch[:0])
		if len(batch) == 0 {
			n.swept(true)
			if !n.awaitWork() {
				return
			}
			continue
		}
		err := n.write(batch)
		n.written(batch, err)
		wait := n.cfg.Settings.Flush
		switch {
		case err != nil:
			n.trouble.begin(time.Now(), err)
			failures++
			wait = min(longestBackoff, wait<<min(failures, 10))
		case len(batch) == batchSize:
			failures, wait = 0, min(wait, backlogEvery)
		default:
			failures = 0
		}
		if !pause(n.ctx, wait-time.Since(begun)) {
			return
		}
	}
}

// nextBatch returns the calls that have changed, filled up with calls of a sweep.
func (n *Node) nextBatch(batch []marked) []marked {
	n.mu.Lock()
	batch = n.marks.take(batch, batchSize)
	n.stats.writing.Store(int64(len(batch)))
	n.mu.Unlock()
	if len(batch) < batchSize {
		batch = n.sweepInto(batch)
	}
	return batch
}

// awaitWork wakes drain, since nothing is left to write, and waits until there is. It
// returns false if the node ends.
func (n *Node) awaitWork() bool {
	poke(n.drained)
	select {
	case <-n.work:
		return true
	case <-n.ctx.Done():
		return false
	}
}

// written handles the result of a batch.
func (n *Node) written(batch []marked, err error) {
	n.mu.Lock()
	n.stats.writing.Store(0)
	if err != nil {
		for _, m := range batch {
			n.marks.again(m.id, m.mark)
		}
	}
	n.mu.Unlock()
	n.swept(err == nil)
}

// write writes a batch: first the states of the calls that live.
func (n *Node) write(batch []marked) error {
	entries, keys := n.contents(batch)
	if err := n.put(entries); err != nil {
		return err
	}
	return n.drop(keys)
}

// contents returns what to write for a batch: the current states of calls that live, and the
// keys of calls that have ended.
func (n *Node) contents(batch []marked) (entries []failover.Entry, keys []failover.Key) {
	for _, m := range batch {
		if m.drop > 0 {
			keys = append(keys, failover.Key{ID: m.id, Epoch: m.drop})
			continue
		}
		d, err := n.Memory.Load(context.Background(), m.id)
		if err != nil {
			continue // it has ended or was released
		}
		entries = append(entries, failover.Entry{Epoch: n.epochOf(m.id), Dialog: d, Age: age(&d)})
	}
	return entries, keys
}

// age returns the time since the 2xx that started the session; 0 without a timer.
func age(d *dialogstore.Dialog) time.Duration {
	if !d.Session.Active() {
		return 0
	}
	return time.Since(d.Session.Since)
}

// put writes the states of calls. A call whose write is refused belongs to another node.
func (n *Node) put(entries []failover.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	errs, err := askAll(n.ctx, n, len(entries), func(ctx context.Context) ([]error, error) {
		return n.cfg.Registry.Put(ctx, n.me, entries)
	})
	if err != nil {
		return err
	}
	for i, err := range errs {
		var fenced *failover.FencedError
		switch {
		case err == nil:
		case errors.As(err, &fenced):
			n.refused(entries[i].Key(), fenced.Ownership)
		default:
			return err
		}
	}
	return nil
}

// drop removes calls that have ended. A refusal does not matter: another node owns the call
// then, and will drop it.
func (n *Node) drop(keys []failover.Key) error {
	if len(keys) == 0 {
		return nil
	}
	_, err := askAll(n.ctx, n, len(keys), func(ctx context.Context) ([]error, error) {
		return n.cfg.Registry.Drop(ctx, n.me, keys)
	})
	return err
}

// refused handles a refused write. If the registry names us as the owner in a later epoch,
// the answer to one of our claims was lost, and we go on in that epoch. Otherwise another
// node owns the call.
func (n *Node) refused(k failover.Key, o failover.Ownership) {
	if o.Owner == n.me {
		n.mu.Lock()
		if h := n.held[k.ID]; h.epoch() == k.Epoch && o.Epoch > k.Epoch {
			h.claimed = o.Epoch
			n.hold(k.ID, h)
			n.marks.put(k.ID, false)
		}
		n.mu.Unlock()
		return
	}
	n.release(k, o, ByRegistry)
}

package ownership

import (
	"context"
	"errors"
	"time"
)

// ErrClosed is returned by Resume and Leave if the node was closed or never started.
var ErrClosed = errors.New("ownership: the node is not running")

// Resume waits until this node owns all calls of its earlier runs again. If ctx ends first,
// it returns the error of ctx, and the work goes on in the background. Call it after Start.
func (n *Node) Resume(ctx context.Context) error {
	select {
	case <-n.resumed:
		return nil
	case <-n.alive.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leave hands the calls over; the node serves none from now on. Leave writes the pending
// changes, including those made while it runs, and then announces in the registry that the
// node has left, so that the others need not wait for the lease. If ctx ends first, Leave
// returns its error, and the others take the calls over after the lease.
func (n *Node) Leave(ctx context.Context) error {
	n.serving.Store(false)
	n.die()
	if !n.started.Load() || n.ctx.Err() != nil {
		return ErrClosed
	}
	for n.member.WaitFor(time.Hour) > 0 {
	}
	if err := n.drain(ctx); err != nil {
		return err
	}
	n.left.Store(true)
	if err := n.drain(ctx); err != nil { // what has changed until then
		n.left.Store(false)
		return err
	}
	for {
		_, err := ask(ctx, n, n.places, n.patience(), func(ctx context.Context) (struct{}, error) {
			return struct{}{}, n.cfg.Registry.Leave(ctx, n.me)
		})
		if err == nil {
			n.over.Store(true)
			return nil
		}
		if !pause(ctx, n.cfg.Settings.Flush) {
			return err
		}
	}
}

// Left reports whether the calls are handed over, or may be according to the registry: other
// nodes may own them, and would not learn of a change that is made here.
func (n *Node) Left() bool { return n.left.Load() }

// drain waits until nothing is left to write.
func (n *Node) drain(ctx context.Context) error {
	for n.waiting() > 0 {
		poke(n.work)
		select {
		case <-n.drained:
		case <-n.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// waiting returns how many calls are to be written or dropped.
func (n *Node) waiting() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.marks.all) + int(n.stats.writing.Load())
}

// Close ends the node without handing its calls over: a process that starts under the same
// name takes them back at once, other nodes after the lease. If the registry is reachable,
// Close first writes the pending changes, for up to half of d. It returns how many goroutines
// are left after d.
func (n *Node) Close(d time.Duration) (left int) {
	begun := time.Now()
	n.serving.Store(false)
	n.die()
	if !n.over.Swap(true) && n.started.Load() && !n.trouble.on.Load() {
		ctx, cancel := context.WithTimeout(n.ctx, d/2)
		_ = n.drain(ctx)
		cancel()
	}
	n.cancel()
	if left = n.member.WaitFor(d - time.Since(begun)); left == 0 {
		left = n.crew.WaitFor(d - time.Since(begun))
	}
	return left
}

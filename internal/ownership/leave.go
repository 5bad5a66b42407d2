package ownership

import (
	"context"
	"errors"
	"time"
)

// ErrClosed is returned by Resume and Leave where the node was closed, or never started.
var ErrClosed = errors.New("ownership: the node does not run")

// Resume returns when this node owns all that earlier runs of it owned, or when ctx
// ends, with its error: it goes on in the background then. Call it after Start.
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

// Leave hands the calls over: it serves none from now on, writes what is not written
// yet, and says so in the registry, so that the others need not wait for the lease. What
// is changed until it returns is written too. Where ctx ends before, its error is
// returned, and the others take the calls after the lease.
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
	for {
		_, err := ask(ctx, n, n.places, n.patience(), func(ctx context.Context) (struct{}, error) {
			return struct{}{}, n.cfg.Registry.Leave(ctx, n.me)
		})
		if err == nil {
			n.over.Store(true)
			return nil
		}
		if !pause(ctx, flushEvery) {
			return err
		}
	}
}

// drain returns when nothing is left to write.
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

// waiting is how many calls are to be written or dropped.
func (n *Node) waiting() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.marks.all) + int(n.stats.writing.Load())
}

// Close ends the node and hands nothing over: a process that starts under the same name
// takes its calls back at once, and others after the lease. What is not written yet is,
// for half of d at most, if the registry is in reach. It returns how many goroutines are
// left after d.
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

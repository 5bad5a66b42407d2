package phone

import (
	"sync"
	"time"
)

// Board counts the calls of a program that answers, so that it can end them all
// before it ends itself. The zero Board has none.
type Board struct {
	mu     sync.Mutex
	closed bool
	up     sync.WaitGroup
}

// Begin counts a call until Done; false says that the program stops.
func (b *Board) Begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.up.Add(1)
	}
	return !b.closed
}

// Done takes a call off the board.
func (b *Board) Done() { b.up.Done() }

// Close takes no more calls and waits for those that are up, as long as patience
// lasts; false says that some did not end.
func (b *Board) Close(patience time.Duration) bool {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	empty := make(chan struct{})
	go func() { b.up.Wait(); close(empty) }()
	select {
	case <-empty:
		return true
	case <-time.After(patience):
		return false
	}
}

package phone

import (
	"sync"
	"time"
)

// Board counts the calls of an answering program, so that it can end them all before it
// exits. The zero Board has none.
type Board struct {
	mu     sync.Mutex
	closed bool
	up     sync.WaitGroup
}

// Begin counts a call until Done. It returns false if the program is stopping.
func (b *Board) Begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.up.Add(1)
	}
	return !b.closed
}

// Done ends the counting of a call.
func (b *Board) Done() { b.up.Done() }

// Close admits no more calls and waits for the current ones, for at most patience. It
// returns false if some did not end.
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

package workers

import (
	"sync"
	"time"
)

// Crew counts goroutines, so that their owner can wait for their end with a timeout. The
// zero Crew is empty. Any number of goroutines may call its methods.
type Crew struct {
	mu   sync.Mutex
	size int
	gone chan struct{} // made by a waiter, closed by the last goroutine to end
}

// Go runs f in a goroutine of the crew.
func (c *Crew) Go(f func()) {
	c.mu.Lock()
	c.size++
	c.mu.Unlock()
	go func() {
		defer c.leave()
		f()
	}()
}

func (c *Crew) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size--; c.size == 0 && c.gone != nil {
		close(c.gone)
		c.gone = nil
	}
}

// WaitFor waits for at most d and returns how many goroutines are left, 0 as soon as all
// have ended.
func (c *Crew) WaitFor(d time.Duration) (left int) {
	select {
	case <-c.over():
	case <-time.After(d):
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// over returns a channel that is closed when no goroutine is left.
func (c *Crew) over() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size == 0 {
		return closed
	}
	if c.gone == nil {
		c.gone = make(chan struct{})
	}
	return c.gone
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

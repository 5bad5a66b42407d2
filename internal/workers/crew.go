package workers

import (
	"sync"
	"time"
)

// Crew counts goroutines, so that whoever started them can wait for their end, for
// as long as it likes. The zero Crew is empty; its methods may be called by any
// number of goroutines.
type Crew struct {
	mu   sync.Mutex
	size int
	gone chan struct{} // made by who waits, closed by the last to end
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

// WaitFor returns how many are left: 0 once all have ended, or else after d.
func (c *Crew) WaitFor(d time.Duration) (left int) {
	limit := time.NewTimer(d)
	defer limit.Stop()
	select {
	case <-c.over():
	case <-limit.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}

// over is closed when nobody is left.
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

package redisregistry_test

import (
	"net"
	"sync"
)

// buffered is a net.Pipe whose writes do not wait for the other end: a client writes a
// whole pipeline before it reads the first reply.
type buffered struct {
	net.Conn
	mu      sync.Mutex
	pending []byte
	more    chan struct{} // has one element when pending has something
	closed  chan struct{}
	end     sync.Once
}

func newBuffered(c net.Conn) *buffered {
	b := &buffered{Conn: c, more: make(chan struct{}, 1), closed: make(chan struct{})}
	go b.pump()
	return b
}

func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	b.pending = append(b.pending, p...)
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

// pump ends when the connection is closed.
func (b *buffered) pump() {
	for {
		select {
		case <-b.more:
		case <-b.closed:
			return
		}
		b.mu.Lock()
		p := b.pending
		b.pending = nil
		b.mu.Unlock()
		if len(p) > 0 {
			_, _ = b.Conn.Write(p)
		}
	}
}

// Close implements net.Conn.
func (b *buffered) Close() error {
	b.end.Do(func() { close(b.closed) })
	return b.Conn.Close()
}

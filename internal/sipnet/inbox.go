package sipnet

import (
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// inbox is an unbounded queue with a read deadline: putting never blocks, taking
// blocks until there is an item, the deadline passes or the inbox is closed.
type inbox[T any] struct {
	mu       sync.Mutex
	items    []T
	end      error // what take returns once items has run out
	closed   bool  // take returns net.ErrClosed whatever is left
	deadline time.Time
	wake     chan struct{} // closed and replaced at every change
}

func newInbox[T any]() *inbox[T] {
	return &inbox[T]{wake: make(chan struct{})}
}

// change runs f under the lock and wakes everybody who waits.
func (q *inbox[T]) change(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f()
	close(q.wake)
	q.wake = make(chan struct{})
}

// put appends an item, unless the reading side is closed or the end was put.
func (q *inbox[T]) put(item T) {
	q.change(func() {
		if !q.closed && q.end == nil {
			q.items = append(q.items, item)
		}
	})
}

// putBack gives back the unread rest of an item.
func (q *inbox[T]) putBack(item T) {
	q.change(func() { q.items = slices.Insert(q.items, 0, item) })
}

// putEnd lets readers have what is there and then err.
func (q *inbox[T]) putEnd(err error) {
	q.change(func() {
		if q.end == nil {
			q.end = err
		}
	})
}

// close ends all reading at once and returns what nobody read. The second call
// returns net.ErrClosed.
func (q *inbox[T]) close() (left []T, err error) {
	q.change(func() {
		if q.closed {
			err = net.ErrClosed
			return
		}
		left, q.items, q.closed = q.items, nil, true
	})
	return left, err
}

func (q *inbox[T]) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// setDeadline holds for the takes that wait already, too. Zero means none.
func (q *inbox[T]) setDeadline(t time.Time) error {
	if q.isClosed() {
		return net.ErrClosed
	}
	q.change(func() { q.deadline = t })
	return nil
}

// take removes and returns the first item. A deadline that has passed wins over
// an item that is there, as it does on a real socket.
func (q *inbox[T]) take() (item T, err error) {
	for {
		q.mu.Lock()
		wake, deadline := q.wake, q.deadline
		switch {
		case q.closed:
			err = net.ErrClosed
		case !deadline.IsZero() && !time.Now().Before(deadline):
			err = os.ErrDeadlineExceeded
		case len(q.items) > 0:
			item = q.items[0]
			q.items = q.items[1:]
			q.mu.Unlock()
			return item, nil
		case q.end != nil:
			err = q.end
		}
		q.mu.Unlock()
		if err != nil {
			return item, err
		}
		waitFor(wake, deadline)
	}
}

// takeIfAny removes the first item, if there is one.
func (q *inbox[T]) takeIfAny() {
	q.change(func() {
		if len(q.items) > 0 {
			q.items = q.items[1:]
		}
	})
}

// waitFor returns when wake is closed or the deadline, if there is one, passes.
func waitFor(wake <-chan struct{}, deadline time.Time) {
	if deadline.IsZero() {
		<-wake
		return
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-wake:
	case <-timer.C:
	}
}

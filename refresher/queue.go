package refresher

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// The queues that a call may be in.
const (
	inDue = iota
	inReady
	numberOfQueues

	absent time.Duration = math.MinInt64 // the key of a call that is not in the queue
)

// queue is a lazy heap of calls by time: a call that is removed or postponed stays where
// it is until it comes first. That makes both as cheap with a million calls as with a
// few.
type queue struct {
	id   int
	time func(*call) time.Duration // since Scheduler.base
	all  []place
	most int          // the length at which the places of removed calls are cleaned up
	many atomic.Int64 // calls in it; read without a lock
}

// place is an entry of a queue. The call may have been postponed since.
type place struct {
	at time.Duration
	c  *call
}

// add inserts c. A call that is only postponed stays where it is.
func (q *queue) add(c *call) {
	key, at := &c.keys[q.id], q.time(c)
	if *key != absent && *key <= at {
		return
	}
	if *key == absent {
		q.many.Add(1)
	}
	*key = at
	if len(q.all) >= q.most {
		q.clean()
	}
	q.all = append(q.all, place{at, c})
	q.up(len(q.all) - 1)
}

func (q *queue) has(c *call) bool { return c.keys[q.id] != absent }

func (q *queue) remove(c *call) {
	if q.has(c) {
		c.keys[q.id] = absent
		q.many.Add(-1)
	}
}

func (q *queue) clear() {
	q.all = nil
	q.many.Store(0)
}

// live reports whether a place is still valid for its call.
func (q *queue) live(p place) bool { return p.c.keys[q.id] == p.at }

// clean removes the places of removed calls, some of which are far in the future.
func (q *queue) clean() {
	q.all = slices.DeleteFunc(q.all, func(p place) bool { return !q.live(p) })
	for i := len(q.all)/2 - 1; i >= 0; i-- {
		q.down(i)
	}
	q.most = len(q.all)*3/2 + 1
}

// first is nil if nothing is in the queue.
func (q *queue) first() *call {
	for len(q.all) > 0 {
		p := &q.all[0]
		if !q.live(*p) {
			q.drop()
			continue
		}
		at := q.time(p.c)
		if at <= p.at {
			return p.c
		}
		p.at, p.c.keys[q.id] = at, at
		q.down(0)
	}
	return nil
}

// take removes the call that is first.
func (q *queue) take() {
	q.remove(q.all[0].c)
	q.drop()
}

func (q *queue) drop() {
	last := len(q.all) - 1
	q.all[0] = q.all[last]
	q.all[last] = place{}
	q.all = q.all[:last]
	q.down(0)
}

func (q *queue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if q.all[parent].at <= q.all[i].at {
			return
		}
		q.all[parent], q.all[i] = q.all[i], q.all[parent]
		i = parent
	}
}

func (q *queue) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q.all) {
			return
		}
		if right := child + 1; right < len(q.all) && q.all[right].at < q.all[child].at {
			child = right
		}
		if q.all[i].at <= q.all[child].at {
			return
		}
		q.all[i], q.all[child] = q.all[child], q.all[i]
		i = child
	}
}

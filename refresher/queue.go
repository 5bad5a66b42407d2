package refresher

import (
	"slices"
	"time"
)

// queue is a heap of schedules by time, a lazy one: what is called off or put off
// meanwhile stays where it is until it comes first. That makes both as cheap
// among a million as among a few.
type queue struct {
	base time.Time
	due  func(*schedule) time.Time
	all  []place
	most int // how many there may be before those that are dead are looked for
}

// place is where a schedule stands in a queue: by a time, as long as after base,
// that may have been put off since.
type place struct {
	at time.Duration
	s  *schedule
}

// add puts s in its place, or leaves it where it is if it is only put off.
func (q *queue) add(s *schedule) {
	at := q.due(s).Sub(q.base)
	if s.in == q && s.key <= at {
		return
	}
	s.in, s.key = q, at
	if len(q.all) >= max(q.most, 1000) {
		q.clean()
	}
	q.all = append(q.all, place{at, s})
	q.up(len(q.all) - 1)
}

// live tells that a place is that of its schedule.
func (q *queue) live(p place) bool { return p.s.in == q && p.s.key == p.at }

// clean removes the places of what is called off. Some are of a time that is far.
func (q *queue) clean() {
	q.all = slices.DeleteFunc(q.all, func(p place) bool { return !q.live(p) })
	for i := len(q.all)/2 - 1; i >= 0; i-- {
		q.down(i)
	}
	q.most = 2 * len(q.all)
}

// first is nil if nothing is in the queue.
func (q *queue) first() *schedule {
	for len(q.all) > 0 {
		p := &q.all[0]
		if !q.live(*p) {
			q.drop()
			continue
		}
		at := q.due(p.s).Sub(q.base)
		if at <= p.at {
			return p.s
		}
		p.at, p.s.key = at, at
		q.down(0)
	}
	return nil
}

// take removes the one that is first.
func (q *queue) take() {
	q.all[0].s.in = nil
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

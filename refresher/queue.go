package refresher

import "container/heap"

// queue is a heap of schedules that know their place in it.
type queue struct {
	before func(a, b *schedule) bool
	all    []*schedule
}

// first is nil if the queue is empty.
func (q *queue) first() *schedule {
	if len(q.all) == 0 {
		return nil
	}
	return q.all[0]
}

func (q *queue) add(s *schedule) { heap.Push(q, s) }

func (q *queue) remove(s *schedule) { heap.Remove(q, s.place) }

// Len implements heap.Interface.
func (q *queue) Len() int { return len(q.all) }

// Less implements heap.Interface.
func (q *queue) Less(i, j int) bool { return q.before(q.all[i], q.all[j]) }

// Swap implements heap.Interface.
func (q *queue) Swap(i, j int) {
	q.all[i], q.all[j] = q.all[j], q.all[i]
	q.all[i].place, q.all[j].place = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	s := x.(*schedule)
	s.in, s.place = q, len(q.all)
	q.all = append(q.all, s)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(q.all) - 1
	s := q.all[last]
	q.all[last] = nil
	q.all = q.all[:last]
	s.in = nil
	return s
}

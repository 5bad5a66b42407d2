// Package workers runs jobs in reused goroutines. Handling a SIP message needs a large
// stack, and growing one for each message costs more than much of the work itself.
package workers

import (
	"sync"
	"time"
)

// IdleFor is how long a worker waits for another job. Workers take turns, so there are as
// many as there are jobs in progress, or started within this time.
const IdleFor = 100 * time.Millisecond

// Workers run jobs. Any number of goroutines may call its methods.
type Workers struct {
	jobs chan func()
	over chan struct{} // closed by stop
	stop func()
	crew Crew
}

// New returns Workers without any worker yet.
func New() *Workers {
	over := make(chan struct{})
	return &Workers{jobs: make(chan func()), over: over, stop: sync.OnceFunc(func() { close(over) })}
}

// Run starts a job and does not wait for it.
func (w *Workers) Run(job func()) {
	select {
	case w.jobs <- job:
	default:
		w.crew.Go(func() { w.work(job) })
	}
}

// Stop ends idle workers at once, and all others after their job.
func (w *Workers) Stop() { w.stop() }

// Wait returns when no worker is left, after Stop and the last Run.
func (w *Workers) Wait() { <-w.crew.over() }

// WaitFor waits for at most d and returns how many workers are left.
func (w *Workers) WaitFor(d time.Duration) (left int) { return w.crew.WaitFor(d) }

// work runs a job and the ones after it, until none comes for IdleFor. The timer is set
// again only after it has fired: to move one that runs is expensive.
func (w *Workers) work(job func()) {
	idle := time.NewTimer(IdleFor)
	for job != nil {
		job()
		job = w.next(idle, time.Now())
	}
}

// next waits for a job, and returns nil if the worker is to end. It has been idle since then.
func (w *Workers) next(idle *time.Timer, since time.Time) func() {
	for {
		select {
		case job := <-w.jobs:
			return job
		case <-idle.C:
			left := IdleFor - time.Since(since)
			if left <= 0 {
				return nil
			}
			idle.Reset(left)
		case <-w.over:
			return nil
		}
	}
}

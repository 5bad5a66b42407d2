// Package workers runs jobs in goroutines that are used again. What answers a SIP
// message takes a deep stack, and to grow one anew each time costs more than much
// of what is done on it.
package workers

import (
	"sync"
	"time"
)

// IdleFor is how long a worker waits for another job. They take turns, so that there
// are as many as there are jobs in this time, or under way.
const IdleFor = 100 * time.Millisecond

// Workers run jobs. Its methods may be called by any number of goroutines.
type Workers struct {
	jobs chan func()
	over chan struct{} // closed by stop
	stop func()
	crew Crew
}

// New has no worker before there is a job.
func New() *Workers {
	over := make(chan struct{})
	return &Workers{jobs: make(chan func()), over: over, stop: sync.OnceFunc(func() { close(over) })}
}

// Run does not wait for the job.
func (w *Workers) Run(job func()) {
	select {
	case w.jobs <- job:
	default:
		w.crew.Go(func() { w.work(job) })
	}
}

// Stop ends the workers that have no job, and from now on each after its job.
func (w *Workers) Stop() { w.stop() }

// Wait returns when there is no worker, after Stop and the last Run.
func (w *Workers) Wait() { <-w.crew.over() }

// WaitFor is Wait for d at most; it returns how many workers are left.
func (w *Workers) WaitFor(d time.Duration) (left int) { return w.crew.WaitFor(d) }

// work runs a job and those that come after it.
func (w *Workers) work(job func()) {
	idle := time.NewTimer(IdleFor)
	defer idle.Stop()
	for {
		job()
		idle.Reset(IdleFor)
		select {
		case job = <-w.jobs:
		case <-idle.C:
			return
		case <-w.over:
			return
		}
	}
}

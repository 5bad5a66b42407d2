package refresher

import (
	"sync"
	"time"
)

// idleFor is how long a worker waits for another job.
const idleFor = time.Second

// workers run jobs in goroutines that are used again: a request takes a deep
// stack, and growing one costs more than what it is for.
type workers struct {
	jobs chan func()
	stop <-chan struct{} // closed when no more jobs come
	wg   sync.WaitGroup
}

func newWorkers(stop <-chan struct{}) *workers {
	return &workers{jobs: make(chan func()), stop: stop}
}

// run does not wait for the job.
func (w *workers) run(job func()) {
	select {
	case w.jobs <- job:
	default:
		w.wg.Go(func() { w.work(job) })
	}
}

// work runs a job and those that come after it.
func (w *workers) work(job func()) {
	idle := time.NewTimer(idleFor)
	defer idle.Stop()
	for {
		job()
		idle.Reset(idleFor)
		select {
		case job = <-w.jobs:
		case <-idle.C:
			return
		case <-w.stop:
			return
		}
	}
}

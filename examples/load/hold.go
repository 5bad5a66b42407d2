package main

import (
	"context"
	"time"
)

// hold measures for the time of the flags. At the end it waits for the arrivals that are
// not answered yet, so that they are counted correctly.
func (l *load) hold(ctx context.Context, r *report) error {
	meanwhile, stop := context.WithTimeout(ctx, l.plan.hold)
	defer stop()
	l.late.begin()
	r.begun = time.Since(l.began)
	before := usage()
	if l.arrivals > 0 {
		l.wg.Go(func() { _ = l.callAtRate(meanwhile, float64(l.arrivals), l.indexes()-l.calls) })
	}
	if l.outage > 0 {
		l.loseAll(meanwhile, r)
	}
	<-meanwhile.Done()
	r.spent = usage().since(before)
	r.lateness, r.unanswered = l.late.all()
	l.wg.Wait()
	r.held, r.lost = int(l.held.Load()), int(l.lost.Load())
	r.failed, r.dropped = int(l.failed.Load()), int(l.dropped.Load())
	l.stopping.Store(true)
	return ctx.Err()
}

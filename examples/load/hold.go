package main

import (
	"context"
	"time"
)

// hold measures for as long as the flags say. Calls that arrive meanwhile and are
// not answered yet at the end are waited for, so that they count as what they
// become.
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

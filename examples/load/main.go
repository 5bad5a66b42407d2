// Load holds many calls between two user agents and reports what the session timers cost
// and how late their refreshes are.
//
//	go run ./examples/load -h
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
)

func main() {
	if isAnswerer() {
		os.Exit(answerForParent(os.Stdin, os.Stdout))
	}
	cmd, cfg := command()
	cmd.Main(func(ctx context.Context) error { return run(ctx, cmd, cfg) })
}

// run makes one run.
func run(ctx context.Context, cmd *cli.Command, cfg *config) error {
	p, err := newPlan(cfg)
	if err != nil {
		return err
	}
	cmd.Say("%v", p)
	if need := p.overdue(); need > p.patience() {
		cmd.Say("the outage may end calls: a refresh may be answered %v after it was due, and a call waits for %v; "+
			"more -calls or a lower -rate make its interval longer", tenths(need), tenths(p.patience()))
	}
	far, err := newAnswerer(ctx, p)
	if err != nil {
		return err
	}
	defer far.close()
	return measure(ctx, cmd, p, far.addr)
}

// afterCollection lets the refreshes pass that were delayed by the garbage collection
// which measures memory. The timers are not to blame for those.
const afterCollection = time.Second

// measure holds calls to target and prints the results.
func measure(ctx context.Context, cmd *cli.Command, p plan, target string) error {
	l, err := newLoad(ctx, cmd, p, target)
	if err != nil {
		return err
	}
	defer l.close()

	r := report{plan: p}
	before, begun := heapInUse(), time.Now()
	stop := l.sampleEverySecond()
	defer stop()
	if err := l.setUp(ctx); err != nil {
		return err
	}
	r.setUp = time.Since(begun)
	r.atFirst = (heapInUse() - before) / int64(p.calls)
	cmd.Say("all are set up, measuring for %v", p.hold)
	if err := sleepUntil(ctx, time.Now().Add(afterCollection)); err != nil {
		return err
	}
	if err := l.hold(ctx, &r); err != nil {
		return err
	}
	r.samples = stop()
	r.atEnd = (heapInUse() - before) / int64(max(r.held, 1))
	if err := r.save(p.config); err != nil {
		return err
	}
	r.print(cmd.Output)
	if r.dropped > 0 {
		return fmt.Errorf("%d calls were dropped", r.dropped)
	}
	return nil
}

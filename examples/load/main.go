// Load holds many calls between two user agents and tells what the session
// timers cost and how late their refreshes are.
//
//	go run ./examples/load -h
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
)

func main() {
	if isAnswerer() {
		os.Exit(answerForParent(os.Stdin, os.Stdout))
	}
	cmd, cfg := command()
	cmd.Main(func(ctx context.Context) error { return run(ctx, cmd, cfg) })
}

// config is what the flags say.
type config struct {
	calls, rate    int
	expires, burst time.Duration
	hold           time.Duration
	outage         time.Duration
	arrivals       int
	method         sessiontimer.Method
	stub           string // auto, yes or no
	split          bool
	jitter         float64
	limit          int
	data, plot     string
}

func command() (*cli.Command, *config) {
	cmd := cli.Bare("load", "holds many calls between two user agents and measures their refreshes.",
		"go run ./examples/load -calls 10000 -rate 2000")
	cfg := &config{calls: 10_000, rate: 2000, hold: 20 * time.Second, method: sessiontimer.MethodUpdate, stub: "auto", limit: 5000}
	cmd.Count(&cfg.calls, "calls", "N", "how many calls are held")
	cmd.Count(&cfg.rate, "rate", "N", "calls set up a second, and refreshes a second afterwards")
	cmd.Seconds(&cfg.expires, "session-expires", "DUR", "the interval; 0 = as -rate needs it, 2*calls/rate")
	cmd.Seconds(&cfg.burst, "burst", "DUR", "set all calls up within this time instead of at -rate; 0 = do not")
	cmd.Seconds(&cfg.hold, "hold", "DUR", "how long to measure once the calls are set up")
	cmd.Seconds(&cfg.outage, "outage", "DUR", "lose every message for this long in the middle of that; 0 = do not")
	cmd.Count(&cfg.arrivals, "arrivals", "N", "further calls set up a second meanwhile")
	cli.Choice(cmd, &cfg.method, "method", "auto|update|invite", "how calls are refreshed",
		sessiontimer.MethodAuto, sessiontimer.MethodUpdate, sessiontimer.MethodReInvite)
	cli.Choice(cmd, &cfg.stub, "stub", "auto|yes|no", "calls without sipgo's sessions: where those need too much memory",
		"auto", "yes", "no")
	cmd.Switch(&cfg.split, "split", "the answering side in a process of its own")
	cmd.Share(&cfg.jitter, "jitter", "SHARE", "spread refreshes over this share of the time before the half")
	cmd.Count(&cfg.limit, "limit", "N", "most refreshes started a second, and unanswered")
	cmd.Text(&cfg.data, "data", "FILE", "write a line of CSV for each second")
	cmd.Text(&cfg.plot, "plot", "FILE", "draw refreshes and their lateness as SVG")
	cmd.Closing = "Intervals below 90s, which RFC 4028 forbids on a real network, are used if the rate\n" +
		"needs them. The calls are not hung up at the end. The exit status is 1 if a call\n" +
		"was dropped.\n"
	return cmd, cfg
}

// run is the whole of a run.
func run(ctx context.Context, cmd *cli.Command, cfg *config) error {
	p, err := newPlan(cfg)
	if err != nil {
		return err
	}
	cmd.Say("%v", p)
	if need := p.overdue(); need > p.patience() {
		cmd.Say("the outage may end calls: a refresh can be answered %v after it was due, a call of this interval waits for %v", need, p.patience())
	}
	far, err := newAnswerer(ctx, p)
	if err != nil {
		return err
	}
	defer far.close()
	return measure(ctx, cmd, p, far.addr)
}

// measure holds calls to target and prints what it finds.
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
	r.bytesPerCall = (heapInUse() - before) / int64(p.calls)
	if err := l.hold(ctx, &r); err != nil {
		return err
	}
	r.samples = stop()
	if err := r.save(p.config); err != nil {
		return err
	}
	r.print(cmd.Output)
	if r.dropped > 0 {
		return fmt.Errorf("%d calls were dropped", r.dropped)
	}
	return nil
}

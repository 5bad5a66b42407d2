package main

import (
	"fmt"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// realCall is the approximate memory of a call of sipgo at both ends in bytes, once its
// transactions are gone; measured with this program.
const realCall = 22 << 10

// plan is derived from the flags.
type plan struct {
	*config
	interval time.Duration
	stubbed  bool
	why      string // the reason for stub dialogs or real calls
}

func newPlan(cfg *config) (plan, error) {
	p := plan{config: cfg, interval: cfg.expires}
	if cfg.calls == 0 || cfg.rate == 0 || cfg.hold == 0 {
		return p, cli.Misuse("-calls, -rate and -hold must be more than 0")
	}
	if cfg.outage >= cfg.hold {
		return p, cli.Misuse("-outage %v must be shorter than -hold, which is %v", cfg.outage, cfg.hold)
	}
	if cfg.limit < 10 || cfg.jitter > 0.5 {
		return p, cli.Misuse("-limit must be 10 or more, and -jitter 0.5 or less")
	}
	if p.interval == 0 {
		seconds := (2*cfg.calls + cfg.rate - 1) / cfg.rate
		p.interval = max(time.Duration(seconds)*time.Second, 4*time.Second)
	}
	if err := p.policy().Validate(); err != nil {
		return p, cli.Misuse("%v", err)
	}
	p.stubbed, p.why = stubbed(cfg, memoryAvailable())
	return p, nil
}

// stubbed decides whether to use stub dialogs, and why. available is 0 if the free memory
// is unknown.
func stubbed(cfg *config, available int64) (bool, string) {
	need := int64(cfg.calls) * realCall
	switch {
	case cfg.stub != "auto":
		return cfg.stub == "yes", "as -stub says"
	case available == 0:
		return need > 4<<30, "calls of sipgo need about " + size(need) + " of memory"
	}
	return need > available*6/10, fmt.Sprintf("calls of sipgo need about %s of memory, %s is free", size(need), size(available))
}

// String describes the run.
func (p plan) String() string {
	kind := "calls of sipgo"
	if p.stubbed {
		kind = "stub dialogs"
	}
	ends := "in one process"
	if p.split {
		ends = "in two processes"
	}
	return fmt.Sprintf("%s %s %s, interval %v; %s", number(p.calls), kind, ends, p.interval, p.why)
}

// setUpRate returns how many calls are set up per second.
func (p plan) setUpRate() float64 {
	if p.burst > 0 {
		return float64(p.calls) / p.burst.Seconds()
	}
	return float64(p.rate)
}

// indexes returns the maximum number of calls, including arrivals.
func (p plan) indexes() int {
	return p.calls + int(float64(p.arrivals)*(p.hold+10*time.Second).Seconds())
}

// timerOptions returns the options of the timers at both ends.
func (p plan) timerOptions() []middleware.Option {
	opts := []middleware.Option{
		middleware.WithSessionExpires(p.interval),
		middleware.WithMethod(p.method),
		middleware.WithJitter(p.jitter),
		middleware.WithRefreshLimits(p.limit, p.limit),
	}
	if p.interval < sessiontimer.Floor {
		opts = append(opts, middleware.WithUnsafeIntervals())
	}
	return opts
}

// policy returns the policy of a stub dialog, the same as with timerOptions.
func (p plan) policy() sessiontimer.Policy {
	policy := sessiontimer.DefaultPolicy()
	policy.SessionExpires, policy.Method, policy.Refresher = p.interval, p.method, sessiontimer.Local
	if policy.Unsafe = p.interval < sessiontimer.Floor; policy.Unsafe {
		policy.MinSE = policy.Floor()
	}
	return policy
}

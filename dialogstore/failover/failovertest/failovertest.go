// Package failovertest has the test suite for authors of a [failover.Registry], and
// [Faulty], which injects faults into any registry. Run the suite with the race detector.
package failovertest

import (
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/suite"
)

// Clock is an optional interface of the registry under test. Checks of ages and expiry need
// it, since they would take minutes and days otherwise.
type Clock interface {
	// Advance makes time pass for the registry, including whatever expires in it.
	Advance(by time.Duration)
}

// Flusher is an optional interface of the registry under test. The check that a registry
// can lose everything needs it.
type Flusher interface {
	// Flush removes everything, as FLUSHALL does.
	Flush()
}

type check suite.Check[failover.Registry]

// group is a group of checks that need the same optional interface.
type group struct {
	lacks  func(failover.Registry) string // why they cannot run, or ""; nil if they always can
	checks []check
}

func groups() []group {
	return []group{
		{nil, beats}, {nil, puts}, {nil, drops}, {nil, claims}, {nil, lists}, {nil, repeats}, {nil, values}, {nil, contention},
		{lacksClock, aging},
		{lacksFlush, flushed},
		{lacksReader, reading},
	}
}

func lacksClock(r failover.Registry) string {
	if _, ok := r.(Clock); ok {
		return ""
	}
	return "the registry has no method Advance(time.Duration)"
}

func lacksFlush(r failover.Registry) string {
	if _, ok := r.(Flusher); ok {
		return ""
	}
	return "the registry has no method Flush()"
}

// Run checks each rule of [failover.Registry] in its own subtest. open returns an empty
// registry for each, and closes it by t.Cleanup. If the registry does not implement [Clock],
// [Flusher] or [failover.Reader], the checks that need them are skipped, and the rules that
// were not checked are printed.
func Run(t *testing.T, open func(t *testing.T) failover.Registry) {
	t.Helper()
	for _, g := range groups() {
		for _, c := range g.checks {
			t.Run(c.Name, func(t *testing.T) {
				r := open(t)
				if g.lacks != nil {
					if why := g.lacks(r); why != "" {
						t.Skipf("not checked, since %s: %s", why, c.Rule)
					}
				}
				suite.Check[failover.Registry](c).Judge(t, r)
			})
		}
	}
}

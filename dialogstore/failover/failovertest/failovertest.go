// Package failovertest is the conformance suite for authors of a [failover.Registry],
// and [Faulty], which puts any registry in trouble. A registry that passes can take the
// place of [failover.Memory]. Run it with the race detector.
package failovertest

import (
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Clock is what a registry under test may have besides: its clock can be moved. What
// ages or expires is checked only with it, since that takes minutes and days.
type Clock interface {
	// Advance makes as much time pass for the registry, and what it counts expire.
	Advance(by time.Duration)
}

// Flusher is what a registry under test may have besides: it can lose everything, as a
// database does by FLUSHALL. That is checked only with it.
type Flusher interface {
	Flush()
}

// check is one rule of the contract. The rule is printed when the check fails.
type check struct {
	name string
	rule string
	run  func(t testing.TB, r failover.Registry)
}

// group is checks that need the same of a registry.
type group struct {
	lacks  func(failover.Registry) string // why they cannot run; nil where they always can
	checks []check
}

func groups() []group {
	return []group{
		{nil, beats}, {nil, puts}, {nil, drops}, {nil, claims}, {nil, lists}, {nil, repeats}, {nil, values}, {nil, contention},
		{lacksClock, aging},
		{lacksFlush, flushed},
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

// Run checks every rule of the contract of [failover.Registry], each in a subtest with
// an empty registry of its own from open. What a registry needs to be closed goes into
// the Cleanup of the test that open is given. Where the registry is no [Clock], or no
// [Flusher], what needs that is skipped, and the rule that was not checked is printed.
func Run(t *testing.T, open func(t *testing.T) failover.Registry) {
	t.Helper()
	for _, g := range groups() {
		for _, c := range g.checks {
			t.Run(c.name, func(t *testing.T) {
				r := open(t)
				if g.lacks != nil {
					if why := g.lacks(r); why != "" {
						t.Skipf("not checked, since %s: %s", why, c.rule)
					}
				}
				defer func() {
					if t.Failed() {
						t.Logf("the rule: %s", c.rule)
					}
				}()
				c.run(t, r)
			})
		}
	}
}

package failovertest

import (
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/recorder"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/suite"
)

// A Faulty without faults is as good as its registry. It is not a Clock, so that checks of
// ages are skipped.
func TestFaultyWithoutFaults(t *testing.T) {
	Run(t, func(*testing.T) failover.Registry { return NewFaulty(failover.NewMemory()) })
}

func TestSkipsNameWhatIsMissing(t *testing.T) {
	m := failover.NewMemory()
	contract := struct{ failover.Registry }{m}
	for _, lacks := range []func(failover.Registry) string{lacksClock, lacksFlush, lacksReader} {
		if why := lacks(m); why != "" {
			t.Errorf("for Memory checks are skipped since %s", why)
		}
		if why := lacks(contract); why == "" {
			t.Error("for a registry with the methods of the contract alone no check is skipped")
		}
	}
}

func TestChecksFindFaults(t *testing.T) {
	var checks []suite.Check[failover.Registry]
	for _, g := range groups() {
		for _, c := range g.checks {
			checks = append(checks, suite.Check[failover.Registry](c))
		}
	}
	var all []recorder.Fault[*memory, failover.Registry]
	for _, f := range faults {
		all = append(all, recorder.Fault[*memory, failover.Registry](f))
	}
	recorder.Find(t, checks, all, failover.NewMemory)
}

// Package bubble runs a test in a bubble of testing/synctest, where time is virtual.
package bubble

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// Test is synctest.Test that the race detector survives. The runtime gives all the
// timers of a bubble one context of the detector, and a goroutine that finds its
// timer's channel due enters it. Two that do so on two processors at once crash the
// detector (seen with go1.26.8), so under it the process keeps to one from here on.
func Test(t *testing.T, f func(*testing.T)) {
	t.Helper()
	if UnderRace {
		oneProcessor()
	}
	synctest.Test(t, f)
}

var oneProcessor = sync.OnceFunc(func() { runtime.GOMAXPROCS(1) })

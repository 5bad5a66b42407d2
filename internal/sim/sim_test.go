package sim

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

var (
	simTime  = flag.Duration("simtime", 0, "how long TestSeeds runs fresh seeds")
	simStack = flag.String("simstack", "", "alone, cluster or pair; empty for the first two")
	simSeed  = flag.Uint64("simseed", 0, "the one seed that TestSeeds runs, or its first one with -simtime; 0: fresh ones")
)

func TestMain(m *testing.M) {
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
	debug.SetGCPercent(800)
	code := m.Run()
	if total.Seeds > 0 {
		fmt.Println(&total) // behind all that was found
	}
	os.Exit(code)
}

// total is what the runs of TestSeeds came to.
var total Figures

// TestSeeds runs fresh seeds for as long as it is told.
func TestSeeds(t *testing.T) {
	if *simTime == 0 && *simSeed == 0 {
		t.Skip("no -simtime and no -simseed")
	}
	seeds := seedsFrom(*simSeed)
	begun := time.Now()
	debug.SetTraceback("all")
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for first := true; first || time.Since(begun) < *simTime; first = false {
				seed := seeds()
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					runWithin(t, patience, stackOf(seed), seed, func(f Figures) {
						mu.Lock()
						defer mu.Unlock()
						total.Add(f)
					})
				})
				if *simTime == 0 {
					return
				}
			}
		})
		if *simTime == 0 {
			break
		}
	}
	workers.Wait()
}

// stackOf is a cluster for five seeds of six.
func stackOf(seed uint64) Stack {
	if *simStack == Pair.Name {
		return Pair
	}
	if *simStack == Alone.Name || *simStack == "" && seed%6 == 0 {
		return Alone
	}
	return Cluster
}

// seedsFrom are those from first on; from 0 they are fresh.
func seedsFrom(first uint64) func() uint64 {
	var mu sync.Mutex
	if first == 0 {
		first = uint64(rand.Uint32()) << 8
	}
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		first++
		return first - 1
	}
}

// patience is how long a run that takes seconds may take on a busy machine before it counts
// as one that hangs.
const patience = 8 * time.Minute

// runWithin is Run that tells its seed where it hangs: the time of a bubble stands
// still as long as anything in it waits for the world outside.
func runWithin(t *testing.T, limit time.Duration, stack Stack, seed uint64, figures func(Figures)) {
	alarm := time.AfterFunc(limit, func() { panic(fmt.Sprintf("seed %d does not end", seed)) })
	defer alarm.Stop()
	Run(t, stack, seed, figures)
}

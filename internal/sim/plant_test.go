package sim

import (
	"fmt"
	"testing"
	"time"
)

// Each fault that is planted in every node is found within so many seeds.
func TestPlanted(t *testing.T) {
	for _, c := range []struct {
		name   string
		plant  Plant // nil: none of the seeds finds anything
		within uint64
	}{
		{"nothing", nil, 3},
		{"no fence", NoFence, 12},
		{"dead without a look at the own beats", Credulous, 12},
		{"put before claim", Greedy, 12},
		{"no CSeq jump", NoJump, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			stack := small
			stack.Plant = c.plant
			for seed := uint64(1); seed <= c.within; seed++ {
				found := make(map[string]int)
				alarm := time.AfterFunc(patience, func() { panic(fmt.Sprintf("seed %d does not end", seed)) })
				inspect(t, stack, seed, func(v Violation) {
					found[v.Rule]++
				})
				if alarm.Stop(); len(found) > 0 && c.plant != nil {
					t.Logf("seed %d breaks %v", seed, found)
					return
				} else if len(found) > 0 {
					t.Errorf("seed %d breaks %v without a fault", seed, found)
				}
			}
			if c.plant != nil {
				t.Errorf("not found in %d seeds", c.within)
			}
		})
	}
}

// small is a cluster for tests that are to be fast.
var small = func() Stack {
	s := few(Cluster)
	s.Nodes = [2]int{3, 4}
	return s
}()

// few is a stack with few peers.
func few(s Stack) Stack {
	s.Peers = [2]int{40, 60}
	return s
}

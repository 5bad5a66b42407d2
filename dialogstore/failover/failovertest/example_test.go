package failovertest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/failovertest"
)

// In the tests of the registry this function is called TestRegistry.
func ExampleRun() {
	_ = func(t *testing.T) {
		failovertest.Run(t, func(t *testing.T) failover.Registry {
			r := failover.NewMemory() // your registry, empty, with Advance and Flush if you can
			t.Cleanup(func() {})      // close it
			return r
		})
	}
	// Output:
}

// One of two nodes is cut off from their registry.
func ExampleFaulty() {
	registry := failover.NewMemory()
	a, b := failovertest.NewFaulty(registry), failovertest.NewFaulty(registry)
	a.Set(failovertest.Always(failovertest.Fault{Down: true}))

	_, err := a.Beat(context.Background(), failover.Node{Name: "a", Run: "1"})
	fmt.Println(err)
	p, _ := b.Beat(context.Background(), failover.Node{Name: "b", Run: "1"})
	fmt.Println(len(p.Nodes), "node:", p.Nodes[0].Name)
	// Output:
	// failovertest: injected registry fault
	// 1 node: b
}

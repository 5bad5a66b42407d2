package boltregistry_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover/boltregistry"
)

// A process stores a call and crashes. The next process of the same name finds it. An
// application only opens the file, and gives it to middleware.WithFailover.
func Example() {
	dir, err := os.MkdirTemp("", "pbx")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path, ctx := filepath.Join(dir, "calls.db"), context.Background()

	registry, err := boltregistry.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	_, _ = registry.Put(ctx, failover.Node{Name: "pbx", Run: "1"}, []failover.Entry{call("a84b4c76e66710", 1)})
	_ = registry.Close()

	registry, err = boltregistry.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = registry.Close() }()
	held, _ := registry.Owned(ctx, failover.Node{Name: "pbx", Run: "1"}, 100)
	claimed, _ := registry.Claim(ctx, failover.Node{Name: "pbx", Run: "2"}, failover.Node{Name: "pbx", Run: "1"}, []failover.Key{held[0].Key})
	fmt.Println(claimed[0].Dialog.CallID, "in epoch", claimed[0].Epoch)
	// Output: a84b4c76e66710 in epoch 2
}

package failover_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Node a answers a call and then hangs. Ten minutes later node b takes the call over, and
// the registry refuses what a writes afterwards. An application does none of this itself:
// see middleware.WithFailover.
func Example() {
	ctx := context.Background()
	registry := failover.NewMemory()
	a, b := failover.Node{Name: "a", Run: "1"}, failover.Node{Name: "b", Run: "1"}

	call := failover.Entry{Epoch: 1, Dialog: dialogstore.Dialog{
		Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: "a84b4c76e66710", LocalTag: "1928301774", RemoteTag: "a6c85cf"}},
		State: dialogstore.State{
			Version:   1,
			LocalCSeq: 314159,
			Session:   sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local},
		},
	}}
	first, _ := registry.Beat(ctx, a)
	_, _ = registry.Put(ctx, a, []failover.Entry{call})

	registry.Advance(10 * time.Minute) // meanwhile a has missed its beats

	buried, _ := registry.Bury(ctx, a, first.Nodes[0].Count)
	fmt.Println("a is dead:", buried)
	held, _ := registry.Owned(ctx, a, 100)
	fmt.Println("left of the first of", len(held), "calls:", held[0].Left.Round(time.Second))
	claimed, _ := registry.Claim(ctx, b, a, []failover.Key{held[0].Key})
	fmt.Println("b has CSeq", claimed[0].Dialog.LocalCSeq, "in epoch", claimed[0].Epoch)

	call.Dialog.Version, call.Dialog.LocalCSeq = 2, 314160
	errs, _ := registry.Put(ctx, a, []failover.Entry{call})
	fmt.Println(errs[0])
	var fenced *failover.FencedError
	fmt.Println("a lets go:", errors.As(errs[0], &fenced))
	// Output:
	// a is dead: true
	// left of the first of 1 calls: 20m0s
	// b has CSeq 314159 in epoch 2
	// failover: call "a84b4c76e66710" belongs to b in epoch 2
	// a lets go: true
}

package dialogstore_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

type printer struct{}

func (printer) DialogChanged(_ context.Context, c *dialogstore.Change) {
	switch {
	case c.Created():
		fmt.Println("created", c.ID().CallID)
	case c.Deleted():
		fmt.Println("deleted", c.ID().CallID)
	default:
		fmt.Println("CSeq", c.Before.LocalCSeq, "becomes", c.After.LocalCSeq)
	}
}

func Example() {
	ctx := context.Background()
	store := dialogstore.Observe(dialogstore.NewMemory(), printer{})
	id := dialogstore.ID{CallID: "a84b4c76e66710", LocalTag: "1928301774", RemoteTag: "a6c85cf"}

	var call dialogstore.Dialog
	call.ID, call.LocalCSeq = id, 314159
	if err := store.Create(ctx, call); err != nil {
		fmt.Println(err)
	}
	next := func(d dialogstore.Dialog) (dialogstore.State, error) {
		d.LocalCSeq++
		return d.State, nil
	}
	if _, _, err := store.Update(ctx, id, next); err != nil {
		fmt.Println(err)
	}
	if _, err := store.Delete(ctx, id); err != nil {
		fmt.Println(err)
	}
	_, err := store.Load(ctx, id)
	fmt.Println("gone:", errors.Is(err, dialogstore.ErrNotFound))
	// Output:
	// created a84b4c76e66710
	// CSeq 314159 becomes 314160
	// deleted a84b4c76e66710
	// gone: true
}

package boltregistry_test

import (
	"context"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// While the disk hangs, writes return when their context ends and reads go on. What was
// given up is still written.
func TestDiskHangs(t *testing.T) {
	r := open(t, newFile(t))
	mustPut(t, r, alice, call("call", 1))
	release := r.Stall()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	e := call("call", 2)
	_, put := r.Put(ctx, alice, []failover.Entry{e})
	_, drop := r.Drop(ctx, bob, []failover.Key{e.Key()})
	_, claim := r.Claim(ctx, bob, alice, []failover.Key{e.Key()})
	_, beat := r.Beat(ctx, alice)
	_, bury := r.Bury(ctx, alice, 1)
	for method, err := range map[string]error{"Put": put, "Drop": drop, "Claim": claim, "Beat": beat, "Bury": bury, "Leave": r.Leave(ctx, alice)} {
		if err != context.DeadlineExceeded {
			t.Errorf("%s: %v, want the error of the context", method, err)
		}
	}
	if got := versions(t, r, []failover.Entry{e}); got[0] != 1 {
		t.Errorf("version %d is read meanwhile, want 1", got[0])
	}
	release()
	for versions(t, r, []failover.Entry{e})[0] != 2 { // or the test ends by its timeout
		mustBeat(t, r, alice)
	}
}

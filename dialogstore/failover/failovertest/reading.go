package failovertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/sample"
)

// reading checks a registry that can read calls without claiming them.
var reading = []check{
	{"read", "Read returns the latest states with their epochs and ages, in the order of the IDs, zero for a call that is missing or has ended.", readCalls},
	{"read every field", "Read returns every field of a Dialog but Session.Since.", readEveryField},
	{"read changes nothing", "Read changes neither owners nor states, and with a context that has ended returns its error.", readOnly},
}

func lacksReader(r failover.Registry) string {
	if _, ok := r.(failover.Reader); ok {
		return ""
	}
	return "the registry has no method Read"
}

func read(t testing.TB, r failover.Registry, ids ...dialogstore.ID) []failover.Entry {
	t.Helper()
	entries, err := r.(failover.Reader).Read(t.Context(), ids)
	if err != nil || len(entries) != len(ids) {
		t.Fatalf("Read of %d calls = %d results, %v, want one for each and no error", len(ids), len(entries), err)
	}
	return entries
}

// wantRead checks what Read returned for a call that was put as want.
func wantRead(t testing.TB, got, want failover.Entry, start time.Time) {
	t.Helper()
	wantTime(t, "the age that Read returns", got.Age, want.Age, start)
	got.Age, want.Age = 0, 0
	want.Dialog.Session.Since = time.Time{}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Read returns another state than was put (-want +got):\n%s", diff)
	}
}

func readCalls(t testing.TB, r failover.Registry) {
	start := time.Now()
	mustPut(t, r, alice, entry("a", 1, 1), aged("a", 2, time.Minute), entry("ended", 3, 1), entry("b", 5, 1))
	mustDrop(t, r, alice, key("ended", 3))
	mustClaim(t, r, bob, alice, key("b", 5))
	ids := []dialogstore.ID{key("b", 0).ID, key("missing", 0).ID, key("a", 0).ID, key("ended", 0).ID}
	got := read(t, r, ids...)
	wantRead(t, got[0], failover.Entry{Epoch: 6, Dialog: entry("b", 5, 1).Dialog}, start)
	wantRead(t, got[2], aged("a", 2, time.Minute), start)
	for _, i := range []int{1, 3} {
		if diff := cmp.Diff(failover.Entry{}, got[i]); diff != "" {
			t.Errorf("Read of a call that is missing or has ended is not zero (-want +got):\n%s", diff)
		}
	}
	read(t, r)
}

func readEveryField(t testing.TB, r failover.Registry) {
	start, e := time.Now(), failover.Entry{Epoch: 1, Dialog: sample.Filled()}
	mustPut(t, r, alice, e)
	wantRead(t, read(t, r, e.Dialog.ID)[0], e, start)
}

func readOnly(t testing.TB, r failover.Registry) {
	mustPut(t, r, alice, entry("call", 1, 1))
	read(t, r, key("call", 1).ID, key("missing", 1).ID)
	wantOwner(t, r, "call", alice, 1)
	wantOwner(t, r, "missing", nobody, 0)
	mustPut(t, r, alice, entry("call", 1, 2))
	wantStored(t, r, alice, entry("call", 1, 2))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.(failover.Reader).Read(ctx, []dialogstore.ID{key("call", 1).ID}); !errors.Is(err, context.Canceled) {
		t.Errorf("Read with a cancelled context: error is %v, want %v", err, context.Canceled)
	}
}

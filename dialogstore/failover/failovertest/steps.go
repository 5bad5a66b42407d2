package failovertest

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/sample"
)

var (
	alice = failover.Node{Name: "alice", Run: "run-1"}
	bob   = failover.Node{Name: "bob", Run: "run-1"}
	carol = failover.Node{Name: "carol", Run: "run-1"}
)

const interval = 30 * time.Minute

// rounding is the precision that a registry may lose.
const rounding = 2 * time.Millisecond

// entry returns a state of a call whose session of half an hour begins now.
func entry(callID string, epoch, version uint64) failover.Entry {
	d := sample.Filled()
	d.CallID, d.Version = callID, version
	d.LocalCSeq = uint32(version)
	d.Session = sessiontimer.Session{Interval: interval, Refresher: sessiontimer.Local}
	return failover.Entry{Epoch: epoch, Dialog: d}
}

func key(callID string, epoch uint64) failover.Key {
	e := entry(callID, epoch, 1)
	return e.Key()
}

// The functions below end the check if a whole batch fails or has a wrong number of results.
// They are for the goroutine of the check only.

func beat(t testing.TB, r failover.Registry, me failover.Node) failover.Pulse {
	t.Helper()
	p, err := r.Beat(t.Context(), me)
	if err != nil {
		t.Fatalf("Beat(%v) = %v, want no error", me, err)
	}
	return p
}

func leave(t testing.TB, r failover.Registry, me failover.Node) {
	t.Helper()
	if err := r.Leave(t.Context(), me); err != nil {
		t.Fatalf("Leave(%v) = %v, want no error", me, err)
	}
}

func bury(t testing.TB, r failover.Registry, node failover.Node, count uint64, want bool) {
	t.Helper()
	got, err := r.Bury(t.Context(), node, count)
	if err != nil || got != want {
		t.Fatalf("Bury(%v, %d) = %v, %v, want %v and no error", node, count, got, err, want)
	}
}

func put(t testing.TB, r failover.Registry, me failover.Node, entries ...failover.Entry) []error {
	t.Helper()
	return results(t, "Put", len(entries))(r.Put(t.Context(), me, entries))
}

func drop(t testing.TB, r failover.Registry, me failover.Node, keys ...failover.Key) []error {
	t.Helper()
	return results(t, "Drop", len(keys))(r.Drop(t.Context(), me, keys))
}

func results(t testing.TB, method string, n int) func([]error, error) []error {
	t.Helper()
	return func(errs []error, err error) []error {
		t.Helper()
		if err != nil || len(errs) != n {
			t.Fatalf("%s of %d calls = %v, %v, want a result for each and no error", method, n, errs, err)
		}
		return errs
	}
}

func mustPut(t testing.TB, r failover.Registry, me failover.Node, entries ...failover.Entry) {
	t.Helper()
	if err := errors.Join(put(t, r, me, entries...)...); err != nil {
		t.Fatalf("Put by %s: %v, want it stored", me.Name, err)
	}
}

func mustDrop(t testing.TB, r failover.Registry, me failover.Node, keys ...failover.Key) {
	t.Helper()
	if err := errors.Join(drop(t, r, me, keys...)...); err != nil {
		t.Fatalf("Drop by %s: %v, want it dropped", me.Name, err)
	}
}

func claim(t testing.TB, r failover.Registry, me, from failover.Node, keys ...failover.Key) []failover.Claimed {
	t.Helper()
	claimed, err := r.Claim(t.Context(), me, from, keys)
	if err != nil || len(claimed) != len(keys) {
		t.Fatalf("Claim of %d calls = %d results, %v, want one for each and no error", len(keys), len(claimed), err)
	}
	return claimed
}

func mustClaim(t testing.TB, r failover.Registry, me, from failover.Node, k failover.Key) failover.Claimed {
	t.Helper()
	c := claim(t, r, me, from, k)[0]
	if c.Err != nil {
		t.Fatalf("Claim by %s: %v, want the call", me.Name, c.Err)
	}
	return c
}

func owned(t testing.TB, r failover.Registry, node failover.Node, limit int) []failover.Held {
	t.Helper()
	held, err := r.Owned(t.Context(), node, limit)
	if err != nil {
		t.Fatalf("Owned(%v, %d) = %v, want no error", node, limit, err)
	}
	return held
}

// wantOwned checks which calls a node owns, and their order.
func wantOwned(t testing.TB, r failover.Registry, node failover.Node, want ...failover.Key) {
	t.Helper()
	got := make([]failover.Key, 0, len(want))
	for _, h := range owned(t, r, node, math.MaxInt) {
		got = append(got, h.Key)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Owned(%s) lists other calls (-want +got):\n%s", node.Name, diff)
	}
}

// wantOwner checks who owns a call: nobody if it has ended, in epoch 0 if it does not exist.
func wantOwner(t testing.TB, r failover.Registry, callID string, owner failover.Node, epoch uint64) {
	t.Helper()
	got, err := r.Owner(t.Context(), []dialogstore.ID{key(callID, 0).ID})
	if err != nil || len(got) != 1 {
		t.Fatalf("Owner = %v, %v, want one result and no error", got, err)
	}
	if want := (failover.Ownership{Owner: owner, Epoch: epoch}); got[0] != want {
		t.Errorf("Owner of %q = %v, want %v", callID, got[0], want)
	}
}

// wantFenced checks that err is a *FencedError with that owner.
func wantFenced(t testing.TB, what string, err error, callID string, owner failover.Node, epoch uint64) {
	t.Helper()
	var fenced *failover.FencedError
	if !errors.As(err, &fenced) {
		t.Errorf("%s: error is %v, want a *FencedError", what, err)
		return
	}
	want := failover.FencedError{ID: key(callID, 0).ID, Ownership: failover.Ownership{Owner: owner, Epoch: epoch}}
	if *fenced != want {
		t.Errorf("%s: fenced by %v, want %v", what, *fenced, want)
	}
}

// wantState checks everything of a claimed call but its age.
func wantState(t testing.TB, what string, got failover.Claimed, want failover.Entry, epoch uint64) {
	t.Helper()
	if got.Epoch != epoch {
		t.Errorf("%s: epoch is %d, want %d", what, got.Epoch, epoch)
	}
	want.Dialog.Session.Since = time.Time{}
	if diff := cmp.Diff(want.Dialog, got.Dialog, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s gives another state than was put (-want +got):\n%s", what, diff)
	}
}

// wantStored claims a call for carol to check that its state is e.
func wantStored(t testing.TB, r failover.Registry, owner failover.Node, e failover.Entry) {
	t.Helper()
	c := mustClaim(t, r, carol, owner, e.Key())
	wantState(t, "Claim", c, e, e.Epoch+1)
}

// wantTime checks a duration that grows with time, and was atLeast at start.
func wantTime(t testing.TB, what string, got, atLeast time.Duration, start time.Time) {
	t.Helper()
	if atMost := atLeast + time.Since(start); got < atLeast-rounding || got > atMost+rounding {
		t.Errorf("%s is %v, want %v to %v", what, got, atLeast, atMost)
	}
}

// Package storetest is the conformance suite for authors of a [dialogstore.Store]. A store
// that passes can replace [dialogstore.Memory]. Run it with the race detector.
package storetest

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/suite"
)

// Each concurrent check starts workers goroutines, each of which acts rounds times.
const (
	workers = 8
	rounds  = 25
)

type check suite.Check[dialogstore.Store]

func checks() (all []suite.Check[dialogstore.Store]) {
	for _, group := range [][]check{oneDialog, manyDialogs, concurrent, values} {
		for _, c := range group {
			all = append(all, suite.Check[dialogstore.Store](c))
		}
	}
	return all
}

// Run checks every rule of the contract of [dialogstore.Store], each in a
// subtest with its own empty store from open. Close the store in a Cleanup of the test that
// open gets.
func Run(t *testing.T, open func(t *testing.T) dialogstore.Store) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.Name, func(t *testing.T) {
			c.Judge(t, open(t))
		})
	}
}

func mustCreate(t testing.TB, s dialogstore.Store, d dialogstore.Dialog) {
	t.Helper()
	if err := s.Create(t.Context(), d); err != nil {
		t.Fatalf("Create(%v) = %v, want no error for a dialog that is not there", d.ID, err)
	}
}

func wantLoad(t testing.TB, s dialogstore.Store, want dialogstore.Dialog) {
	t.Helper()
	got, err := s.Load(t.Context(), want.ID)
	if err != nil {
		t.Fatalf("Load(%v) = %v, want the dialog", want.ID, err)
	}
	wantSame(t, "Load", got, want)
}

func wantGone(t testing.TB, s dialogstore.Store, id dialogstore.ID) {
	t.Helper()
	_, err := s.Load(t.Context(), id)
	wantError(t, "Load of a dialog that is not there", err, dialogstore.ErrNotFound)
}

func wantError(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: error is %v, want one for which errors.Is(err, %q) is true", what, got, want)
	}
}

// wantSame compares times with Equal. An empty slice equals nil.
func wantSame(t testing.TB, what string, got, want dialogstore.Dialog) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s gives another dialog than was stored (-want +got):\n%s", what, diff)
	}
}

// count is a change whose calls can be counted. It increments Version as
// [dialogstore.Observed] does, so that the suite also works with an observed store.
func count(d dialogstore.Dialog) (dialogstore.State, error) {
	d.LocalCSeq++
	d.Version++
	return d.State, nil
}

// counted is d after count.
func counted(d dialogstore.Dialog) dialogstore.Dialog {
	d.State, _ = count(d)
	return d
}

// ids counts how often All yields each ID.
func ids(t testing.TB, s dialogstore.Store) map[dialogstore.ID]int {
	t.Helper()
	seen := make(map[dialogstore.ID]int)
	for d, err := range s.All(t.Context()) {
		if err != nil {
			t.Fatalf("All yields the error %v, want none", err)
		}
		seen[d.ID]++
	}
	return seen
}

// atOnce runs f for each worker and lets them start together.
func atOnce(f func(worker int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for w := range workers {
		wg.Go(func() {
			<-start
			f(w)
		})
	}
	close(start)
	wg.Wait()
}

package storetest

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/sample"
)

// concurrent checks many goroutines on one dialog, and on many.
var concurrent = []check{
	{"updates at once", "Update is atomic: of several at once each sees the outcome of the one before.", updatesAtOnce},
	{"creates at once", "Of several calls of Create at once exactly one succeeds.", createsAtOnce},
	{"deletes at once", "Of several calls of Delete at once exactly one succeeds.", deletesAtOnce},
	{"delete among updates", "Delete returns the outcome of every update that succeeded, and none succeeds after it.", deleteAmongUpdates},
	{"everything at once", "Any number of goroutines may call any method at once.", everythingAtOnce},
}

// yieldingCount gives other goroutines a chance to interfere.
func yieldingCount(d dialogstore.Dialog) (dialogstore.State, error) {
	runtime.Gosched()
	return count(d)
}

func uncounted() dialogstore.Dialog {
	d := sample.Filled()
	d.LocalCSeq = 0
	return d
}

func updatesAtOnce(t testing.TB, s dialogstore.Store) {
	d := uncounted()
	mustCreate(t, s, d)
	var befores [workers][]uint32
	atOnce(func(w int) {
		for range rounds {
			before, after, err := s.Update(t.Context(), d.ID, yieldingCount)
			if err != nil {
				t.Errorf("Update among others = %v, want no error: it is the store that tries again", err)
				return
			}
			if after.LocalCSeq != before.LocalCSeq+1 {
				t.Errorf("Update returns %d before and %d after, want after to be what change made of before",
					before.LocalCSeq, after.LocalCSeq)
			}
			befores[w] = append(befores[w], before.LocalCSeq)
		}
	})
	seen := slices.Sorted(slices.Values(slices.Concat(befores[:]...)))
	for i, n := range seen {
		if n != uint32(i) {
			t.Fatalf("no update, or more than one, began from %d, want each to begin from the outcome of another", min(i, int(n)))
		}
	}
	last, err := s.Load(t.Context(), d.ID)
	if err != nil || last.LocalCSeq != workers*rounds {
		t.Errorf("after %d updates that add one Load gives %d, %v: an update was lost", workers*rounds, last.LocalCSeq, err)
	}
}

func createsAtOnce(t testing.TB, s dialogstore.Store) {
	for round := range rounds {
		var won, winner atomic.Int32
		d := sample.Filled()
		d.CallID = fmt.Sprint("call-", round)
		atOnce(func(w int) {
			mine := d
			mine.LocalCSeq = uint32(w)
			if err := s.Create(t.Context(), mine); err == nil {
				won.Add(1)
				winner.Store(int32(w))
			} else {
				wantError(t, "Create that came second", err, dialogstore.ErrExists)
			}
		})
		if won.Load() != 1 {
			t.Fatalf("%d of %d calls of Create at once succeed, want exactly one", won.Load(), workers)
		}
		d.LocalCSeq = uint32(winner.Load())
		wantLoad(t, s, d)
	}
}

func deletesAtOnce(t testing.TB, s dialogstore.Store) {
	for range rounds {
		var won atomic.Int32
		d := sample.Filled()
		mustCreate(t, s, d)
		atOnce(func(int) {
			got, err := s.Delete(t.Context(), d.ID)
			if err != nil {
				wantError(t, "Delete that came second", err, dialogstore.ErrNotFound)
				return
			}
			won.Add(1)
			wantSame(t, "Delete", got, d)
		})
		if won.Load() != 1 {
			t.Fatalf("%d of %d calls of Delete at once succeed, want exactly one: whoever succeeds hangs up", won.Load(), workers)
		}
	}
}

// deleteAmongUpdates deletes a dialog while the other workers update it. Each of those goes on
// until an Update fails, or until it has updated once more after Delete returned.
func deleteAmongUpdates(t testing.TB, s dialogstore.Store) {
	d := uncounted()
	mustCreate(t, s, d)
	var updated atomic.Uint32
	var done atomic.Bool
	var deleted dialogstore.Dialog
	atOnce(func(w int) {
		if w == 0 {
			runtime.Gosched() // let the others begin
			var err error
			if deleted, err = s.Delete(t.Context(), d.ID); err != nil {
				t.Errorf("Delete among updates = %v, want no error", err)
			}
			done.Store(true)
			return
		}
		for last := false; !last; {
			last = done.Load()
			if _, _, err := s.Update(t.Context(), d.ID, yieldingCount); err != nil {
				wantError(t, "Update that Delete overtook", err, dialogstore.ErrNotFound)
				return
			}
			updated.Add(1)
		}
	})
	if got := updated.Load(); deleted.LocalCSeq != got {
		t.Errorf("Delete returns the outcome of %d updates, but %d succeeded, want the same", deleted.LocalCSeq, got)
	}
	wantGone(t, s, d.ID)
}

func everythingAtOnce(t testing.TB, s dialogstore.Store) {
	shared := uncounted()
	mustCreate(t, s, shared)
	atOnce(func(w int) {
		for round := range rounds {
			id := dialogstore.ID{CallID: fmt.Sprintf("call-%d-%d", w, round), LocalTag: "l", RemoteTag: "r"}
			live(t, s, id, shared.ID)
		}
	})
	last, err := s.Load(t.Context(), shared.ID)
	if err != nil || last.LocalCSeq != workers*rounds {
		t.Errorf("after %d updates that add one Load gives %d, %v: an update was lost", workers*rounds, last.LocalCSeq, err)
	}
	if got := ids(t, s); len(got) != 1 || got[shared.ID] != 1 {
		t.Errorf("All yields %v, want only the dialog that nobody deleted", got)
	}
}

// live creates, updates and deletes its own dialog besides a shared one. It does not call
// Fatalf, which is for the goroutine of the test only.
func live(t testing.TB, s dialogstore.Store, own, shared dialogstore.ID) {
	d := sample.Filled()
	d.ID = own
	if err := s.Create(t.Context(), d); err != nil {
		t.Errorf("Create = %v, want no error", err)
	}
	for _, id := range []dialogstore.ID{own, shared} {
		if _, _, err := s.Update(t.Context(), id, yieldingCount); err != nil {
			t.Errorf("Update = %v, want no error", err)
		}
		if got, err := s.Load(t.Context(), id); err != nil || got.ID != id {
			t.Errorf("Load(%v) = %v, %v, want that dialog", id, got.ID, err)
		}
	}
	seen := 0
	for got, err := range s.All(t.Context()) {
		if err != nil {
			t.Errorf("All yields the error %v, want none", err)
		}
		if got.ID == own || got.ID == shared {
			seen++
		}
	}
	if seen != 2 {
		t.Errorf("All yields %d of 2 dialogs that are there from before the loop until after it, want each once", seen)
	}
	want := counted(d)
	got, err := s.Delete(t.Context(), own)
	if err != nil {
		t.Errorf("Delete = %v, want no error", err)
	}
	wantSame(t, "Delete", got, want)
}

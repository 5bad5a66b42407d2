package storetest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/sample"
)

// manyDialogs checks that dialogs are independent of each other.
var manyDialogs = []check{
	{"forks", "Dialogs of one call that differ in a tag are different dialogs.", forks},
	{"alike IDs", "IDs are compared as Go compares them: part by part, byte by byte.", alikeIDs},
	{"all", "All yields every dialog once, as Load gives it.", all},
	{"all empty", "All of an empty store yields nothing, not even an error.", allEmpty},
	{"all calls back", "A loop over All may call any method of the store.", allCallsBack},
	{"all breaks", "All stops when the loop breaks, and can be used again.", allBreaks},
}

func forks(t testing.TB, s dialogstore.Store) {
	a := sample.Filled()
	b := a
	b.RemoteTag = "fork"
	mustCreate(t, s, a)
	mustCreate(t, s, b)
	_, a, err := s.Update(t.Context(), a.ID, count)
	if err != nil {
		t.Fatalf("Update = %v, want no error", err)
	}
	wantLoad(t, s, a)
	if _, err := s.Delete(t.Context(), a.ID); err != nil {
		t.Fatalf("Delete = %v, want no error", err)
	}
	wantGone(t, s, a.ID)
	wantLoad(t, s, b)
}

func alikeIDs(t testing.TB, s dialogstore.Store) {
	same := sample.AlikeIDs()
	dialogs := make([]dialogstore.Dialog, len(same))
	for i, id := range same {
		dialogs[i] = sample.Filled()
		dialogs[i].ID = id
		dialogs[i].LocalCSeq = uint32(i)
		mustCreate(t, s, dialogs[i])
	}
	for _, d := range dialogs {
		wantLoad(t, s, d)
	}
}

// crowd creates n dialogs.
func crowd(t testing.TB, s dialogstore.Store, n int) map[dialogstore.ID]dialogstore.Dialog {
	t.Helper()
	dialogs := make(map[dialogstore.ID]dialogstore.Dialog, n)
	for i := range n {
		d := sample.Filled()
		d.CallID = fmt.Sprintf("call-%d", i)
		d.LocalCSeq = uint32(i)
		mustCreate(t, s, d)
		dialogs[d.ID] = d
	}
	return dialogs
}

func all(t testing.TB, s dialogstore.Store) {
	want := crowd(t, s, 100)
	got := make(map[dialogstore.ID]dialogstore.Dialog)
	for d, err := range s.All(t.Context()) {
		if err != nil {
			t.Fatalf("All yields the error %v, want none", err)
		}
		if _, twice := got[d.ID]; twice {
			t.Errorf("All yields %v twice, want each dialog once", d.ID)
		}
		got[d.ID] = d
		wantSame(t, "All", d, want[d.ID])
	}
	if len(got) != len(want) {
		t.Errorf("All yields %d dialogs, want all %d", len(got), len(want))
	}
}

func allEmpty(t testing.TB, s dialogstore.Store) {
	for d, err := range s.All(t.Context()) {
		t.Errorf("All of an empty store yields %v, %v, want nothing", d.ID, err)
	}
}

func allCallsBack(t testing.TB, s dialogstore.Store) {
	const n = 10
	crowd(t, s, n)
	visited := 0
	for d, err := range s.All(t.Context()) {
		if err != nil {
			t.Fatalf("All yields the error %v while the loop uses the store, want none", err)
		}
		if d.CallID == "created meanwhile" {
			continue
		}
		visited++
		replace(t, s, d.ID)
		if got := ids(t, s); len(got) == 0 {
			t.Errorf("All within a loop over All yields nothing, want the dialogs that are there")
		}
	}
	if visited != n {
		t.Errorf("All yields %d of the dialogs that were there before the loop, want all %d: each was there until its turn", visited, n)
	}
	want := map[string]int{"created meanwhile": n}
	got := make(map[string]int)
	for id, times := range ids(t, s) {
		got[id.CallID] += times
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after the loop the store has other dialogs than the loop left there (-want +got):\n%s", diff)
	}
}

// replace uses every method except All, and replaces the named dialog by another one.
func replace(t testing.TB, s dialogstore.Store, id dialogstore.ID) {
	t.Helper()
	if _, err := s.Load(t.Context(), id); err != nil {
		t.Errorf("Load within a loop over All = %v, want no error", err)
	}
	if _, _, err := s.Update(t.Context(), id, count); err != nil {
		t.Errorf("Update within a loop over All = %v, want no error", err)
	}
	d, err := s.Delete(t.Context(), id)
	if err != nil {
		t.Errorf("Delete within a loop over All = %v, want no error", err)
	}
	d.ID = dialogstore.ID{CallID: "created meanwhile", LocalTag: id.CallID, RemoteTag: "r"}
	if err := s.Create(t.Context(), d); err != nil {
		t.Errorf("Create within a loop over All = %v, want no error", err)
	}
}

func allBreaks(t testing.TB, s dialogstore.Store) {
	const n = 10
	crowd(t, s, n)
	calls := 0
	s.All(t.Context())(func(dialogstore.Dialog, error) bool {
		calls++
		return calls < 3
	})
	if calls != 3 {
		t.Errorf("All calls the body of a loop that breaks in its third turn %d times, want 3", calls)
	}
	if got := ids(t, s); len(got) != n {
		t.Errorf("after a loop that broke All yields %d dialogs, want all %d", len(got), n)
	}
}

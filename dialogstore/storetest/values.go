package storetest

import (
	"errors"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/sample"
)

// values checks that a store returns what it was given, and shares none of it.
var values = []check{
	{"every field", "Every field of a Dialog is stored without loss.", everyField},
	{"every field alone", "No field of a Dialog is taken for another, or set where it was not.", everyFieldAlone},
	{"extremes", "Large numbers, long and unusual texts and bytes are stored without loss.", extremes},
	{"copies", "Values go in and out by copy: a change or an append to one is seen nowhere else.", copies},
}

// everyField writes with both methods and reads with all.
func everyField(t testing.TB, s dialogstore.Store) {
	roundTrip(t, s, sample.Filled())
}

func everyFieldAlone(t testing.TB, s dialogstore.Store) {
	for _, d := range sample.Alone() {
		roundTrip(t, s, d)
	}
}

func extremes(t testing.TB, s dialogstore.Store) {
	roundTrip(t, s, sample.Extreme())
	roundTrip(t, s, sample.Bare())
}

// roundTrip stores d with Create and with Update, and leaves the store as it was.
func roundTrip(t testing.TB, s dialogstore.Store, d dialogstore.Dialog) {
	t.Helper()
	mustCreate(t, s, d)
	wantLoad(t, s, d)
	d.Version++
	_, after, err := s.Update(t.Context(), d.ID, func(dialogstore.Dialog) (dialogstore.State, error) { return d.State, nil })
	if err != nil {
		t.Fatalf("Update = %v, want no error", err)
	}
	wantSame(t, "after of Update", after, d)
	for got, err := range s.All(t.Context()) {
		if err != nil {
			t.Fatalf("All yields the error %v, want none", err)
		}
		wantSame(t, "All", got, d)
	}
	got, err := s.Delete(t.Context(), d.ID)
	if err != nil {
		t.Fatalf("Delete = %v, want no error", err)
	}
	wantSame(t, "Delete", got, d)
}

// copies appends to the slices of several copies. Existing elements are read-only for both
// sides, so none is written to. The before of an Update is not checked: after was made from
// it and may share its slices.
func copies(t testing.TB, s dialogstore.Store) {
	mine := sample.Filled()
	mustCreate(t, s, mine)
	first, err1 := s.Load(t.Context(), mine.ID)
	second, err2 := s.Load(t.Context(), mine.ID)
	_, third, err3 := s.Update(t.Context(), mine.ID, func(d dialogstore.Dialog) (dialogstore.State, error) { return d.State, nil })
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatalf("Load, Load, Update = %v, want no error", err)
	}
	taken := []*dialogstore.Dialog{&mine, &first, &second, &third}
	for i, d := range taken {
		sample.Scribble(d, i)
	}
	for i, d := range taken {
		want := sample.Filled()
		want.Version = d.Version
		sample.Scribble(&want, i)
		wantSame(t, "a copy that another copy was changed after", *d, want)
	}
}

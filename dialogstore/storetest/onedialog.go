package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/sample"
)

var errChange = errors.New("storetest: the change function returned an error")

// oneDialog checks the life of a single dialog.
var oneDialog = []check{
	{"missing", "Load, Update and Delete of a dialog that is not there give ErrNotFound.", missing},
	{"create", "Create adds the dialog, and Load then gives it.", create},
	{"create twice", "Create of a dialog that is there gives ErrExists and changes nothing.", createTwice},
	{"update", "Update stores the State that change makes, keeps the Origin, and returns the dialog before and after.", update},
	{"update refused", "If change returns an error, Update returns it and nothing changes.", updateRefused},
	{"delete", "Delete removes the dialog and returns what it was last.", deleteOne},
	{"update after delete", "Update does not bring a deleted dialog back; Create may.", updateAfterDelete},
	{"cancelled", "With a context that is done each method gives an error, and nothing changes.", cancelled},
}

func missing(t testing.TB, s dialogstore.Store) {
	id := sample.Filled().ID
	wantGone(t, s, id)
	_, _, err := s.Update(t.Context(), id, func(d dialogstore.Dialog) (dialogstore.State, error) {
		t.Errorf("Update of a dialog that is not there calls change with %v, want no call", d.ID)
		return d.State, nil
	})
	wantError(t, "Update of a dialog that is not there", err, dialogstore.ErrNotFound)
	_, err = s.Delete(t.Context(), id)
	wantError(t, "Delete of a dialog that is not there", err, dialogstore.ErrNotFound)
}

func create(t testing.TB, s dialogstore.Store) {
	d := sample.Filled()
	mustCreate(t, s, d)
	wantLoad(t, s, d)
}

func createTwice(t testing.TB, s dialogstore.Store) {
	d := sample.Filled()
	mustCreate(t, s, d)
	other := d
	other.RemoteTarget = "sip:other@192.0.2.9"
	wantError(t, "second Create", s.Create(t.Context(), other), dialogstore.ErrExists)
	wantLoad(t, s, d)
}

func update(t testing.TB, s dialogstore.Store) {
	d := sample.Filled()
	mustCreate(t, s, d)
	want := counted(d)
	before, after, err := s.Update(t.Context(), d.ID, func(got dialogstore.Dialog) (dialogstore.State, error) {
		wantSame(t, "the argument of change", got, d)
		return count(got)
	})
	if err != nil {
		t.Fatalf("Update = %v, want no error", err)
	}
	wantSame(t, "before of Update", before, d)
	wantSame(t, "after of Update", after, want)
	wantLoad(t, s, want)
}

func updateRefused(t testing.TB, s dialogstore.Store) {
	d := sample.Filled()
	mustCreate(t, s, d)
	_, _, err := s.Update(t.Context(), d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
		return counted(d).State, errChange
	})
	wantError(t, "Update with a change that fails", err, errChange)
	wantLoad(t, s, d)
}

func deleteOne(t testing.TB, s dialogstore.Store) {
	d := sample.Filled()
	mustCreate(t, s, d)
	_, d, err := s.Update(t.Context(), d.ID, count)
	if err != nil {
		t.Fatalf("Update = %v, want no error", err)
	}
	got, err := s.Delete(t.Context(), d.ID)
	if err != nil {
		t.Fatalf("Delete = %v, want no error", err)
	}
	wantSame(t, "Delete", got, d)
	wantGone(t, s, d.ID)
	_, err = s.Delete(t.Context(), d.ID)
	wantError(t, "second Delete", err, dialogstore.ErrNotFound)
}

func updateAfterDelete(t testing.TB, s dialogstore.Store) {
	d := sample.Filled()
	mustCreate(t, s, d)
	if _, err := s.Delete(t.Context(), d.ID); err != nil {
		t.Fatalf("Delete = %v, want no error", err)
	}
	_, _, err := s.Update(t.Context(), d.ID, count)
	wantError(t, "Update after Delete", err, dialogstore.ErrNotFound)
	wantGone(t, s, d.ID)
	mustCreate(t, s, d)
	wantLoad(t, s, d)
}

func cancelled(t testing.TB, s dialogstore.Store) {
	there, absent := sample.Filled(), sample.Filled()
	absent.CallID = "absent"
	mustCreate(t, s, there)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, loadErr := s.Load(ctx, there.ID)
	_, _, updateErr := s.Update(ctx, there.ID, count)
	_, deleteErr := s.Delete(ctx, there.ID)
	var allErr error
	for _, err := range s.All(ctx) {
		allErr = err
	}
	for method, err := range map[string]error{
		"Load": loadErr, "Create": s.Create(ctx, absent), "Update": updateErr, "Delete": deleteErr, "All": allErr,
	} {
		if err == nil {
			t.Errorf("%s with a cancelled context succeeds, want an error", method)
		}
		// After "not found" the caller would forget a live call.
		if errors.Is(err, dialogstore.ErrNotFound) || errors.Is(err, dialogstore.ErrExists) {
			t.Errorf("%s with a cancelled context says %v, want an error that says nothing about the dialog", method, err)
		}
	}
	wantLoad(t, s, there)
	wantGone(t, s, absent.ID)
}

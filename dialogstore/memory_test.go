package dialogstore_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) dialogstore.Store { return dialogstore.NewMemory() })
}

func TestZeroMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) dialogstore.Store { return new(dialogstore.Memory) })
}

func call(n int) dialogstore.Dialog {
	return dialogstore.Dialog{Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: "call-" + strconv.Itoa(n), LocalTag: "l", RemoteTag: "r"}}}
}

func count(d dialogstore.Dialog) (dialogstore.State, error) {
	d.LocalCSeq++
	return d.State, nil
}

func TestMemoryLen(t *testing.T) {
	m := dialogstore.NewMemory()
	const n = 1000
	for i := range n {
		if err := m.Create(t.Context(), call(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.Len(); got != n {
		t.Errorf("Len = %d, want the %d that were created", got, n)
	}
	for i := range n / 2 {
		if _, err := m.Delete(t.Context(), call(i).ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.Len(); got != n/2 {
		t.Errorf("Len = %d, want the %d that were not deleted", got, n/2)
	}
}

// Update tries again after a concurrent change, here made by the change function itself. If
// it held a lock, it would wait for ever.
func TestMemoryUpdateRunsAgain(t *testing.T) {
	m, d := dialogstore.NewMemory(), call(1)
	if err := m.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	runs := 0
	before, after, err := m.Update(t.Context(), d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
		if runs++; runs == 1 {
			if _, _, err := m.Update(t.Context(), d.ID, count); err != nil {
				t.Error(err)
			}
		}
		return count(d)
	})
	if err != nil || runs != 2 || before.LocalCSeq != 1 || after.LocalCSeq != 2 {
		t.Errorf("Update = %d, %d, %v after %d runs, want 1, 2 and no error after a second run that sees the change between",
			before.LocalCSeq, after.LocalCSeq, err, runs)
	}
}

// A dialog that is deleted and created again is another one, even if it looks
// the same: the update computed from the first must run again.
func TestMemoryUpdateSeesReplacement(t *testing.T) {
	m, d := dialogstore.NewMemory(), call(1)
	if err := m.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	runs := 0
	_, _, err := m.Update(t.Context(), d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
		if runs++; runs == 1 {
			_, deleteErr := m.Delete(t.Context(), d.ID)
			if err := m.Create(t.Context(), d); err != nil || deleteErr != nil {
				t.Error(deleteErr, err)
			}
		}
		return count(d)
	})
	if err != nil || runs != 2 {
		t.Errorf("Update = %v after %d runs, want no error after 2", err, runs)
	}
}

// Setting the clock during a call must not move its deadlines.
func TestMemoryKeepsMonotonicReading(t *testing.T) {
	m, d := dialogstore.NewMemory(), call(1)
	d.Session.Since = time.Now()
	if err := m.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	got, err := m.Load(t.Context(), d.ID)
	if err != nil || got.Session.Since != d.Session.Since {
		t.Errorf("Load = %#v, %v, want the time with its monotonic reading, %#v", got.Session.Since, err, d.Session.Since)
	}
}

// A loop whose context ends gets no further dialog, but why.
func TestMemoryAllEndsWithContext(t *testing.T) {
	m := dialogstore.NewMemory()
	for n := range 1000 { // several in each shard
		if err := m.Create(t.Context(), call(n)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dialogs, errs := 0, 0
	for _, err := range m.All(ctx) {
		if err == nil {
			dialogs++
		} else if errs++; !errors.Is(err, context.Canceled) {
			t.Errorf("the loop ends with %v", err)
		}
		cancel()
	}
	if dialogs != 1 || errs != 1 {
		t.Errorf("%d dialogs and %d errors, want one of each", dialogs, errs)
	}
}

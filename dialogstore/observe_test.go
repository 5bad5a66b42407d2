package dialogstore_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// watcher records the changes.
type watcher struct {
	mu      sync.Mutex
	changes []dialogstore.Change
}

func (w *watcher) DialogChanged(_ context.Context, c *dialogstore.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes = append(w.changes, *c)
}

func (w *watcher) told() []dialogstore.Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.changes)
}

func TestObserveTellsEveryChange(t *testing.T) {
	var first, second watcher
	s := dialogstore.Observe(dialogstore.NewMemory(), &first, &second)
	d := call(1)
	_ = s.Create(t.Context(), d)
	_, _, _ = s.Update(t.Context(), d.ID, count)
	_, _ = s.Load(t.Context(), d.ID)
	for range s.All(t.Context()) {
	}
	_, _ = s.Delete(t.Context(), d.ID)

	created, updated := d, d
	created.Version = 1
	updated.Version, updated.LocalCSeq = 2, 1
	want := []dialogstore.Change{{After: created}, {Before: created, After: updated}, {Before: updated}}
	for name, w := range map[string]*watcher{"first": &first, "second": &second} {
		if diff := gocmp.Diff(want, w.told()); diff != "" {
			t.Errorf("the %s observer of a create, an update and a delete is told (-want +got):\n%s", name, diff)
		}
	}
	for i, c := range first.told() {
		if c.ID() != d.ID || c.Created() != (i == 0) || c.Deleted() != (i == 2) {
			t.Errorf("change %d: ID %v, created %t, deleted %t, want the dialog, created first and deleted last",
				i, c.ID(), c.Created(), c.Deleted())
		}
	}
}

// The store counts the version, not the caller.
func TestObserveOwnsVersion(t *testing.T) {
	s := dialogstore.Observe(dialogstore.NewMemory())
	d := call(1)
	d.Version = 99
	if err := s.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	before, after, err := s.Update(t.Context(), d.ID, func(d dialogstore.Dialog) (dialogstore.State, error) {
		d.Version = 0
		return d.State, nil
	})
	if before.Version != 1 || after.Version != 2 || err != nil {
		t.Errorf("versions are %d and %d (%v), want 1 and 2 whatever the caller set", before.Version, after.Version, err)
	}
}

func TestObserveSilentOnErrors(t *testing.T) {
	refuse := func(d dialogstore.Dialog) (dialogstore.State, error) { return d.State, errors.New("no") }
	var w watcher
	m := dialogstore.NewMemory()
	s := dialogstore.Observe(m, &w)
	d := call(1)
	if err := m.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	absent := call(2).ID
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()

	_, _, refused := s.Update(t.Context(), d.ID, refuse)
	_, _, updateErr := s.Update(t.Context(), absent, count)
	_, deleteErr := s.Delete(t.Context(), absent)
	_, _, cancelledErr := s.Update(cancelled, d.ID, count)
	for name, err := range map[string]error{
		"create of what is there": s.Create(t.Context(), d),
		"refused update":          refused,
		"update of nothing":       updateErr,
		"delete of nothing":       deleteErr,
		"cancelled update":        cancelledErr,
	} {
		if err == nil {
			t.Errorf("%s succeeds, want an error", name)
		}
	}
	if got := w.told(); len(got) != 0 {
		t.Errorf("the observer is told %v, want nothing: nothing was committed", got)
	}
}

// meddler makes the change that it observes once more; with a lock held it would wait for
// ever.
type meddler struct {
	store dialogstore.Store
	log   []string
}

func (m *meddler) DialogChanged(ctx context.Context, c *dialogstore.Change) {
	m.log = append(m.log, fmt.Sprintf("%d to %d", c.Before.Version, c.After.Version))
	for _, err := range m.store.All(ctx) {
		if err != nil {
			m.log = append(m.log, err.Error())
		}
	}
	if c.Deleted() {
		return
	}
	if now, err := m.store.Load(ctx, c.ID()); err != nil || now.Version != c.After.Version {
		m.log = append(m.log, fmt.Sprintf("committed is version %d, %v", now.Version, err))
	}
	if c.Created() {
		_, _, _ = m.store.Update(ctx, c.ID(), count)
	} else {
		_, _ = m.store.Delete(ctx, c.ID())
	}
}

func TestObserverMayCallTheStore(t *testing.T) {
	var obs meddler
	s := dialogstore.Observe(dialogstore.NewMemory(), &obs)
	obs.store = s
	if err := s.Create(t.Context(), call(1)); err != nil {
		t.Fatal(err)
	}
	want := []string{"0 to 1", "1 to 2", "2 to 0"}
	if diff := gocmp.Diff(want, obs.log); diff != "" {
		t.Errorf("an observer that updates what is created and deletes what is updated sees (-want +got):\n%s", diff)
	}
}

// Notifications need not be in the order of the commits; the versions are.
func TestVersionsOrderConcurrentUpdates(t *testing.T) {
	const workers, rounds = 8, 50
	var w watcher
	s := dialogstore.Observe(dialogstore.NewMemory(), &w)
	if err := s.Create(t.Context(), call(1)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				if _, _, err := s.Update(t.Context(), call(1).ID, count); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	told := w.told()
	slices.SortFunc(told, func(a, b dialogstore.Change) int { return cmp.Compare(a.After.Version, b.After.Version) })
	if len(told) != 1+workers*rounds {
		t.Fatalf("the observer is told %d changes, want %d", len(told), 1+workers*rounds)
	}
	for i, c := range told {
		if c.After.Version != uint64(i+1) || c.Before.Version != uint64(i) || c.After.LocalCSeq != uint32(i) {
			t.Fatalf("change %d is from version %d to %d with CSeq %d, want each to go on from the one before",
				i, c.Before.Version, c.After.Version, c.After.LocalCSeq)
		}
	}
}

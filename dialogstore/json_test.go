package dialogstore_test

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/storetest"
)

// A Dialog survives JSON without loss: a store that keeps nothing else passes the suite.
func TestDialogIsPlainJSON(t *testing.T) {
	storetest.Run(t, func(*testing.T) dialogstore.Store {
		return &jsonStore{rows: make(map[dialogstore.ID][]byte)}
	})
}

// jsonStore is the smallest store without Memory: one lock, and rows of text.
type jsonStore struct {
	mu   sync.Mutex
	rows map[dialogstore.ID][]byte
}

// begin must be followed by a deferred Unlock.
func (s *jsonStore) begin(ctx context.Context) error {
	s.mu.Lock()
	return ctx.Err()
}

func (s *jsonStore) read(id dialogstore.ID) (d dialogstore.Dialog, err error) {
	row, ok := s.rows[id]
	if !ok {
		return d, dialogstore.ErrNotFound
	}
	return d, json.Unmarshal(row, &d)
}

func (s *jsonStore) write(d dialogstore.Dialog) error {
	row, err := json.Marshal(d)
	if err == nil {
		s.rows[d.ID] = row
	}
	return err
}

func (s *jsonStore) Load(ctx context.Context, id dialogstore.ID) (dialogstore.Dialog, error) {
	err := s.begin(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return dialogstore.Dialog{}, err
	}
	return s.read(id)
}

func (s *jsonStore) Create(ctx context.Context, d dialogstore.Dialog) error {
	err := s.begin(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return err
	}
	if _, ok := s.rows[d.ID]; ok {
		return dialogstore.ErrExists
	}
	return s.write(d)
}

func (s *jsonStore) Update(ctx context.Context, id dialogstore.ID, change func(dialogstore.Dialog) (dialogstore.State, error)) (before, after dialogstore.Dialog, err error) {
	err = s.begin(ctx)
	defer s.mu.Unlock()
	if err == nil {
		before, err = s.read(id)
	}
	if err == nil {
		after.Origin = before.Origin
		after.State, err = change(before)
	}
	if err != nil {
		return dialogstore.Dialog{}, dialogstore.Dialog{}, err
	}
	return before, after, s.write(after)
}

func (s *jsonStore) Delete(ctx context.Context, id dialogstore.ID) (dialogstore.Dialog, error) {
	err := s.begin(ctx)
	defer s.mu.Unlock()
	if err != nil {
		return dialogstore.Dialog{}, err
	}
	d, err := s.read(id)
	delete(s.rows, id)
	return d, err
}

func (s *jsonStore) All(ctx context.Context) iter.Seq2[dialogstore.Dialog, error] {
	return func(yield func(dialogstore.Dialog, error) bool) {
		err := s.begin(ctx)
		rows := slices.Collect(maps.Values(s.rows))
		s.mu.Unlock()
		if err != nil {
			yield(dialogstore.Dialog{}, err)
			return
		}
		for _, row := range rows {
			var d dialogstore.Dialog
			err := json.Unmarshal(row, &d)
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

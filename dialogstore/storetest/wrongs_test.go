package storetest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// put stores d, replacing any other.
func put(s store, d dialog) {
	background := context.Background()
	if s.Create(background, d) != nil {
		s.Delete(background, d.ID)
		s.Create(background, d)
	}
}

// encounter makes the first two that arrive wait for each other.
func encounter() func() {
	var arrived atomic.Int32
	both := make(chan struct{})
	return func() {
		switch arrived.Add(1) {
		case 1:
			<-both
		case 2:
			close(both)
		}
	}
}

func lossy(s store) store {
	meet := encounter()
	return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
		before, err := s.Load(c, i)
		if err != nil {
			return dialog{}, dialog{}, err
		}
		meet()
		after, err := f(before)
		if err == nil {
			s.Update(c, i, func(dialog) (state, error) { return after, nil })
		}
		return before, dialog{Origin: before.Origin, State: after}, err
	}}
}

func doubleDelete(s store) store {
	meet := encounter()
	return broken{store: s, remove: func(c ctx, i id) (dialog, error) {
		d, err := s.Load(c, i)
		if err == nil {
			meet()
			s.Delete(c, i)
		}
		return d, err
	}}
}

func upserting(s store) store {
	return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
		before, after, err := s.Update(c, i, f)
		if errors.Is(err, dialogstore.ErrNotFound) {
			after.ID = i
			after.State, err = f(after)
			put(s, after)
		}
		return before, after, err
	}}
}

// cached remembers for Load what was created.
func cached(s store) store {
	var created sync.Map
	return broken{
		store: s,
		create: func(c ctx, d dialog) error {
			created.Store(d.ID, d)
			return s.Create(c, d)
		},
		load: func(c ctx, i id) (dialog, error) {
			d, err := s.Load(c, i)
			if was, ok := created.Load(i); ok && errors.Is(err, dialogstore.ErrNotFound) {
				return was.(dialog), nil
			}
			return d, err
		},
	}
}

// another is an error instead of one that the contract names.
func another(err error) error {
	if errors.Is(err, dialogstore.ErrNotFound) || errors.Is(err, dialogstore.ErrExists) {
		return errors.New("unexpected number of rows")
	}
	return err
}

// buried creates nothing that was deleted once.
func buried(s store) store {
	var deleted sync.Map
	return broken{
		store: s,
		create: func(c ctx, d dialog) error {
			if _, before := deleted.Load(d.ID); before {
				return nil
			}
			return s.Create(c, d)
		},
		remove: func(c ctx, i id) (dialog, error) {
			deleted.Store(i, true)
			return s.Delete(c, i)
		},
	}
}

// stale makes the first two updates begin from the same dialog, as they tell. It stores
// them one after the other.
func stale(s store) store {
	meet := encounter()
	return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
		before, err := s.Load(c, i)
		if err != nil {
			return dialog{}, dialog{}, err
		}
		meet()
		if _, _, err := s.Update(c, i, f); err != nil {
			return dialog{}, dialog{}, err
		}
		after := before
		after.State, err = f(before)
		return before, after, err
	}}
}

// ofCall yields the dialogs of a call.
func ofCall(s store, i id) iter.Seq[id] {
	return func(yield func(id) bool) {
		var forks []id
		for d := range s.All(context.Background()) {
			if d.CallID == i.CallID {
				forks = append(forks, d.ID)
			}
		}
		slices.Values(forks)(yield)
	}
}

// forgetful writes rows anew from what change returns.
func forgetful(s store) store {
	return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
		before, err := s.Load(c, i)
		if err != nil {
			return dialog{}, dialog{}, err
		}
		after := dialog{Origin: dialogstore.Origin{ID: i}}
		after.State, err = f(before)
		put(s, after)
		return before, after, err
	}}
}

func skipFirst(seq iter.Seq2[dialog, error]) iter.Seq2[dialog, error] {
	return func(yield func(dialog, error) bool) {
		first := true
		for d, err := range seq {
			if !first && !yield(d, err) {
				return
			}
			first = false
		}
	}
}

// busy returns an error where a real store might never return.
func busy(s store) store {
	var reading atomic.Int32
	return broken{
		store: s,
		load: func(c ctx, i id) (dialog, error) {
			if reading.Load() > 0 {
				return dialog{}, errors.New("store is busy")
			}
			return s.Load(c, i)
		},
		all: func(c ctx) iter.Seq2[dialog, error] {
			return func(yield func(dialog, error) bool) {
				reading.Add(1)
				defer reading.Add(-1)
				s.All(c)(yield)
			}
		},
	}
}

// storing stores f of each dialog.
func storing(f func(dialog) dialog) func(store) store {
	return func(s store) store {
		return broken{
			store:  s,
			create: func(c ctx, d dialog) error { return s.Create(c, f(d)) },
			update: func(c ctx, i id, g change) (dialog, dialog, error) {
				return s.Update(c, i, func(d dialog) (_ state, err error) {
					d.State, err = g(d)
					return f(d).State, err
				})
			},
		}
	}
}

// shared returns slices with spare capacity from Load, the same to all callers.
func shared(s store) store {
	var mu sync.Mutex
	routes := make([]string, 0, 8)
	return broken{
		store: s,
		load: func(c ctx, i id) (dialog, error) {
			mu.Lock()
			defer mu.Unlock()
			d, err := s.Load(c, i)
			d.RouteSet = append(routes[:0], d.RouteSet...)
			return d, err
		},
		update: func(c ctx, i id, f change) (dialog, dialog, error) {
			mu.Lock()
			defer mu.Unlock()
			before, after, err := s.Update(c, i, f)
			before.RouteSet = append(routes[:0], before.RouteSet...)
			after.RouteSet = append(routes[:0], after.RouteSet...)
			return before, after, err
		},
	}
}

// keeping gives out the very slices that Create was given.
func keeping(s store) store {
	routes := make(map[id][]string)
	return broken{
		store:  s,
		create: func(c ctx, d dialog) error { routes[d.ID] = d.RouteSet; return s.Create(c, d) },
		load: func(c ctx, i id) (dialog, error) {
			d, err := s.Load(c, i)
			d.RouteSet = routes[i]
			return d, err
		},
	}
}

// rename stores dialogs under another name, but returns them under their own.
func rename(s store, key func(id) id) store {
	back := func(d dialog, i id) dialog { d.ID = i; return d }
	return broken{
		store: s,
		load: func(c ctx, i id) (dialog, error) {
			d, err := s.Load(c, key(i))
			return back(d, i), err
		},
		create: func(c ctx, d dialog) error { put(s, back(d, key(d.ID))); return nil },
	}
}

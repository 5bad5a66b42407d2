package storetest

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strings"
	"sync/atomic"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/recorder"
)

type fault recorder.Fault[store, store]

// faults are stores that break one rule each, with the checks that detect it.
var faults = []fault{
	{"updates are lost", []string{"updates at once", "everything at once"}, lossy},
	{"two deletes succeed", []string{"deletes at once"}, doubleDelete},
	{"create overwrites", []string{"create twice", "creates at once"}, func(s store) store {
		return broken{store: s, create: func(_ ctx, d dialog) error { put(s, d); return nil }}
	}},
	{"a refused Create overwrites", []string{"create twice", "creates at once"}, func(s store) store {
		return broken{store: s, create: func(c ctx, d dialog) error {
			err := s.Create(c, d)
			if err != nil {
				put(s, d)
			}
			return err
		}}
	}},
	{"Create of what is there gives another error", []string{"create twice", "creates at once"}, func(s store) store {
		return broken{store: s, create: func(c ctx, d dialog) error { return another(s.Create(c, d)) }}
	}},
	{"what was deleted is not created again", []string{"update after delete"}, buried},
	{"create stores nothing", []string{"create", "forks", "all", "everything at once"}, func(s store) store {
		return broken{store: s, create: func(ctx, dialog) error { return nil }}
	}},
	{"update creates", []string{"missing", "update after delete"}, upserting},
	{"an update in flight outlives delete", []string{"delete", "delete among updates"}, func(s store) store {
		return broken{store: s, remove: func(c ctx, i id) (dialog, error) {
			d, err := s.Delete(c, i)
			if err == nil {
				put(s, d)
			}
			return d, err
		}}
	}},
	{"what is deleted can still be loaded", []string{"delete", "update after delete", "forks", "delete among updates"}, cached},
	{"Load of what is missing gives another error", []string{"missing", "delete"}, func(s store) store {
		return broken{store: s, load: func(c ctx, i id) (dialog, error) {
			d, err := s.Load(c, i)
			return d, another(err)
		}}
	}},
	{"Update of what is missing gives another error", []string{"missing", "update after delete", "delete among updates"}, func(s store) store {
		return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
			before, after, err := s.Update(c, i, f)
			return before, after, another(err)
		}}
	}},
	{"Delete of what is missing gives another error", []string{"missing", "delete", "deletes at once"}, func(s store) store {
		return broken{store: s, remove: func(c ctx, i id) (dialog, error) {
			d, err := s.Delete(c, i)
			return d, another(err)
		}}
	}},
	{"delete returns nothing", []string{"delete", "deletes at once"}, func(s store) store {
		return broken{store: s, remove: func(c ctx, i id) (dialog, error) {
			_, err := s.Delete(c, i)
			return dialog{}, err
		}}
	}},
	{"update stores nothing", []string{"update", "forks"}, func(s store) store {
		return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
			before, err := s.Load(c, i)
			after := before
			if err == nil {
				after.State, err = f(before)
			}
			return before, after, err
		}}
	}},
	{"a second try returns what the first saw", []string{"updates at once"}, stale},
	{"change is given another origin", []string{"update"}, func(s store) store {
		return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
			return s.Update(c, i, func(d dialog) (state, error) {
				d.Origin = dialogstore.Origin{ID: i}
				return f(d)
			})
		}}
	}},
	{"what a refused change made is stored", []string{"update refused"}, func(s store) store {
		return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
			var refused error
			before, after, err := s.Update(c, i, func(d dialog) (next state, _ error) {
				next, refused = f(d)
				return next, nil
			})
			return before, after, cmp.Or(err, refused)
		}}
	}},
	{"before is after", []string{"update"}, func(s store) store {
		return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
			_, after, err := s.Update(c, i, f)
			return after, after, err
		}}
	}},
	{"the error of change is lost", []string{"update refused"}, func(s store) store {
		return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
			before, after, err := s.Update(c, i, f)
			if errors.Is(err, errChange) {
				err = nil
			}
			return before, after, err
		}}
	}},
	{"an update forgets the origin", []string{"update", "every field"}, forgetful},
	{"the context is ignored", []string{"cancelled"}, func(s store) store { return deaf{s} }},
	{"a cancelled Create creates", []string{"cancelled"}, func(s store) store {
		return broken{store: s, create: func(c ctx, d dialog) error { put(s, d); return c.Err() }}
	}},
	{"a cancelled Update updates", []string{"cancelled"}, func(s store) store {
		return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
			before, after, err := s.Update(context.WithoutCancel(c), i, f)
			return before, after, cmp.Or(c.Err(), err)
		}}
	}},
	{"a cancelled Delete deletes", []string{"cancelled"}, func(s store) store {
		return broken{store: s, remove: func(c ctx, i id) (dialog, error) {
			d, err := s.Delete(context.WithoutCancel(c), i)
			return d, cmp.Or(c.Err(), err)
		}}
	}},
	{"a Create that is done says that it failed", []string{"everything at once"}, func(s store) store {
		var begun atomic.Bool
		return broken{store: s, create: func(c ctx, d dialog) error {
			err := s.Create(c, d)
			if begun.Swap(true) {
				err = recorder.ErrSpoiled
			}
			return err
		}}
	}},
	{"an Update that is done says that it failed", []string{"updates at once", "everything at once"}, func(s store) store {
		return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
			before, after, err := s.Update(c, i, f)
			if after.LocalCSeq == workers*rounds { // the last
				err = recorder.ErrSpoiled
			}
			return before, after, err
		}}
	}},
	{"a Delete that is done says that it failed", []string{"delete among updates", "everything at once"}, func(s store) store {
		return broken{store: s, remove: func(c ctx, i id) (dialog, error) {
			d, _ := s.Delete(c, i)
			return d, recorder.ErrSpoiled
		}}
	}},
	{"Delete is an update behind", []string{"delete among updates"}, func(s store) store {
		return broken{store: s, remove: func(c ctx, i id) (dialog, error) {
			d, err := s.Delete(c, i)
			d.LocalCSeq--
			return d, err
		}}
	}},
	{"after is before", []string{"updates at once"}, func(s store) store {
		return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
			before, _, err := s.Update(c, i, f)
			return before, before, err
		}}
	}},
	{"Load is an update behind", []string{"updates at once"}, func(s store) store {
		return broken{store: s, load: func(c ctx, i id) (dialog, error) {
			d, err := s.Load(c, i)
			d.LocalCSeq--
			return d, err
		}}
	}},
	{"Load gives another ID", []string{"everything at once"}, func(s store) store {
		return broken{store: s, load: func(c ctx, i id) (dialog, error) {
			d, err := s.Load(c, i)
			d.LocalTag += "x"
			return d, err
		}}
	}},
	{"all yields a dialog that never was", []string{"everything at once"}, func(s store) store {
		return broken{store: s, all: func(c ctx) iter.Seq2[dialog, error] {
			return func(yield func(dialog, error) bool) {
				if yield(dialog{}, nil) {
					s.All(c)(yield)
				}
			}
		}}
	}},
	{"all hides those of the goroutines", []string{"everything at once"}, func(s store) store {
		return broken{store: s, all: func(c ctx) iter.Seq2[dialog, error] {
			return func(yield func(dialog, error) bool) {
				s.All(c)(func(d dialog, err error) bool { return strings.HasPrefix(d.CallID, "call-") || yield(d, err) })
			}
		}}
	}},
	{"all yields an error beside those of the goroutines", []string{"everything at once"}, func(s store) store {
		return broken{store: s, all: func(c ctx) iter.Seq2[dialog, error] {
			return func(yield func(dialog, error) bool) {
				s.All(c)(func(d dialog, err error) bool {
					if strings.HasPrefix(d.CallID, "call-") {
						err = recorder.ErrSpoiled
					}
					return yield(d, err)
				})
			}
		}}
	}},
	{"keys are joined", []string{"alike IDs"}, func(s store) store {
		return rename(s, func(i id) id { return id{CallID: i.CallID + "-" + i.LocalTag + "-" + i.RemoteTag} })
	}},
	{"keys are folded", []string{"alike IDs"}, func(s store) store {
		return rename(s, func(i id) id { i.CallID = strings.ToLower(i.CallID); return i })
	}},
	{"forks are one", []string{"forks"}, func(s store) store {
		return rename(s, func(i id) id { i.RemoteTag = ""; return i })
	}},
	{"an update changes all forks", []string{"forks"}, func(s store) store {
		return broken{store: s, update: func(c ctx, i id, f change) (dialog, dialog, error) {
			before, after, err := s.Update(c, i, f)
			for fork := range ofCall(s, i) {
				s.Update(c, fork, func(dialog) (state, error) { return after.State, nil })
			}
			return before, after, err
		}}
	}},
	{"a delete deletes all forks", []string{"forks"}, func(s store) store {
		return broken{store: s, remove: func(c ctx, i id) (dialog, error) {
			d, err := s.Delete(c, i)
			for fork := range ofCall(s, i) {
				s.Delete(c, fork)
			}
			return d, err
		}}
	}},
	{"all gives each the state of the first", []string{"all"}, func(s store) store {
		return broken{store: s, all: func(c ctx) iter.Seq2[dialog, error] {
			return func(yield func(dialog, error) bool) {
				var first *dialog
				for d, err := range s.All(c) {
					if first == nil {
						first = &d
					}
					if d.State = first.State; !yield(d, err) {
						return
					}
				}
			}
		}}
	}},
	{"all yields one too few", []string{"all", "all calls back"}, func(s store) store {
		return broken{store: s, all: func(c ctx) iter.Seq2[dialog, error] { return skipFirst(s.All(c)) }}
	}},
	{"all ends with an error", []string{"all empty"}, func(s store) store {
		return broken{store: s, all: func(ctx) iter.Seq2[dialog, error] {
			return func(yield func(dialog, error) bool) { yield(dialog{}, errors.New("no more rows")) }
		}}
	}},
	{"all does not stop", []string{"all breaks"}, func(s store) store {
		return broken{store: s, all: func(c ctx) iter.Seq2[dialog, error] {
			return func(yield func(dialog, error) bool) {
				s.All(c)(func(d dialog, err error) bool { yield(d, err); return true })
			}
		}}
	}},
	{"all blocks the store", []string{"all calls back"}, busy},
	{"a field is dropped", []string{"every field", "every field alone"}, storing(func(d dialog) dialog {
		d.PeerUpdate = false
		return d
	})},
	{"two fields are one", []string{"every field alone"}, storing(func(d dialog) dialog {
		d.PeerTimer = d.PeerTimer || d.PeerUpdate
		return d
	})},
	{"times are cut", []string{"every field"}, storing(func(d dialog) dialog {
		d.Session.Since = d.Session.Since.Truncate(1e6)
		return d
	})},
	{"numbers are signed", []string{"extremes"}, storing(func(d dialog) dialog {
		d.LocalCSeq = uint32(max(0, int32(d.LocalCSeq)))
		return d
	})},
	{"Load drops a field", []string{"create", "every field", "every field alone"}, func(s store) store {
		return broken{store: s, load: func(c ctx, i id) (dialog, error) {
			d, err := s.Load(c, i)
			d.PeerUpdate = false
			return d, err
		}}
	}},
	{"what has no routes is refused", []string{"extremes"}, func(s store) store {
		return broken{store: s, create: func(c ctx, d dialog) error {
			if len(d.RouteSet) == 0 {
				return errors.New("column may not be null")
			}
			return s.Create(c, d)
		}}
	}},
	{"all yields an error beside a dialog", []string{"all", "all calls back", "every field"}, func(s store) store {
		return broken{store: s, all: func(c ctx) iter.Seq2[dialog, error] {
			return func(yield func(dialog, error) bool) {
				s.All(c)(func(d dialog, _ error) bool { return yield(d, errors.New("connection lost")) })
			}
		}}
	}},
	{"Create shares its slices", []string{"copies"}, keeping},
	{"spare capacity is shared", []string{"copies"}, shared},
}

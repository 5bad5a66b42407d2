package storetest

import (
	"errors"
	"iter"
	"strings"
)

// faults are stores that break one rule each, with the checks that detect it.
var faults = []struct {
	name  string
	found []string
	in    func(store) store
}{
	{"updates are lost", []string{"updates at once", "everything at once"}, lossy},
	{"two deletes succeed", []string{"deletes at once"}, doubleDelete},
	{"create overwrites", []string{"create twice", "creates at once"}, func(s store) store {
		return broken{store: s, create: func(_ ctx, d dialog) error { put(s, d); return nil }}
	}},
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
	{"delete returns nothing", []string{"delete", "deletes at once"}, func(s store) store {
		return broken{store: s, remove: func(c ctx, i id) (dialog, error) {
			_, err := s.Delete(c, i)
			return dialog{}, err
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
	{"keys are joined", []string{"alike IDs"}, func(s store) store {
		return rename(s, func(i id) id { return id{CallID: i.CallID + "-" + i.LocalTag + "-" + i.RemoteTag} })
	}},
	{"keys are folded", []string{"alike IDs"}, func(s store) store {
		return rename(s, func(i id) id { i.CallID = strings.ToLower(i.CallID); return i })
	}},
	{"forks are one", []string{"forks"}, func(s store) store {
		return rename(s, func(i id) id { i.RemoteTag = ""; return i })
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
	{"spare capacity is shared", []string{"copies"}, shared},
}

package storetest

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/recorder"
)

// TestTranscript compares what the suite demands with testdata/checks.txt: the requests of
// each check, the answers of Memory, and in brackets those parts of an answer that the check
// insists on. Of checks with many requests only their number is there, and of those that need
// goroutines only the rules.
func TestTranscript(t *testing.T) {
	var tr recorder.Transcript
	for _, c := range checks() {
		tr.Rule(c.Name, c.Rule)
		if !slices.ContainsFunc(concurrent, func(o check) bool { return o.Name == c.Name }) {
			tr.Requests(100, func(s *recorder.Scribe) []string {
				return recorder.Said(t, func(t testing.TB) { c.Run(t, &scribe{dialogstore.NewMemory(), s}) })
			})
		}
	}
	tr.Compare(t, "testdata/checks.txt")
}

// scribe is a Memory that notes what it is asked. It changes one part of one answer.
type scribe struct {
	store
	*recorder.Scribe
}

var part = recorder.PartOf

func (s *scribe) answered(text string, err *error, parts ...recorder.Part) {
	s.Answered(fmt.Sprintf("%s = %v", text, *err), err, parts...)
}

func idText(i id) string { return fmt.Sprintf("%s/%s/%s", i.CallID, i.LocalTag, i.RemoteTag) }

// of is a part of an answer that is a dialog.
func of(name string, d *dialog) []recorder.Part {
	return []recorder.Part{
		part(name+".origin", func() { d.Transport += "x" }),
		part(name+".state", func() { d.RemoteTarget += "x" }),
	}
}

func (s *scribe) Load(c ctx, i id) (dialog, error) {
	d, err := s.store.Load(c, i)
	s.answered("Load "+idText(i), &err, of("it", &d)...)
	return d, err
}

func (s *scribe) Create(c ctx, d dialog) error {
	err := s.store.Create(c, d)
	s.answered(fmt.Sprintf("Create %s, CSeq %d, version %d, target %.40q", idText(d.ID), d.LocalCSeq, d.Version, d.RemoteTarget), &err)
	return err
}

func (s *scribe) Update(c ctx, i id, f change) (dialog, dialog, error) {
	before, after, err := s.store.Update(c, i, f)
	s.answered(fmt.Sprintf("Update %s, CSeq %d to %d, version %d to %d", idText(i), before.LocalCSeq, after.LocalCSeq, before.Version, after.Version),
		&err, append(of("before", &before), of("after", &after)...)...)
	return before, after, err
}

func (s *scribe) Delete(c ctx, i id) (dialog, error) {
	d, err := s.store.Delete(c, i)
	s.answered("Delete "+idText(i), &err, of("it", &d)...)
	return d, err
}

// All yields the dialogs in the order of their IDs, or only an error.
func (s *scribe) All(c ctx) iter.Seq2[dialog, error] {
	return func(yield func(dialog, error) bool) {
		var all []dialog
		var err error
		for d, e := range s.store.All(c) {
			if err = e; err == nil {
				all = append(all, d)
			}
		}
		slices.SortFunc(all, func(a, b dialog) int { return strings.Compare(idText(a.ID), idText(b.ID)) })
		s.answered(fmt.Sprintf("All = %d", len(all)), &err,
			part("missing", func() { all = all[min(1, len(all)):] }),
			part("twice", func() { all = append(all, all...) }),
			part("states", func() {
				for i := range all {
					all[i].RemoteTarget += "x"
				}
			}))
		if err != nil {
			yield(dialog{}, err)
			return
		}
		for _, d := range all {
			if !yield(d, nil) {
				return
			}
		}
	}
}

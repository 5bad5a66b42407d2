package storetest

import (
	"flag"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/internal/recorder"
)

var write = flag.Bool("update", false, "write testdata/checks.txt")

// TestTranscript compares what the suite demands with testdata/checks.txt: the requests of
// each check, the answers of Memory, and in brackets those parts of an answer that the check
// insists on. Of checks with many requests only their number is there, and of those that need
// goroutines only the rules.
func TestTranscript(t *testing.T) {
	const file = "testdata/checks.txt"
	var out strings.Builder
	said := make(map[string]bool)
	for _, c := range checks() {
		fmt.Fprintf(&out, "%s: %s\n", c.name, c.rule)
		if !slices.ContainsFunc(concurrent, func(o check) bool { return o.name == c.name }) {
			transcribe(t, c, &out, said)
		}
	}
	fmt.Fprintln(&out, "\nWhat a check that fails says:")
	for _, text := range slices.Sorted(maps.Keys(said)) {
		fmt.Fprintf(&out, "  %s\n", text)
	}
	if *write {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(out.String(), "\n")); diff != "" {
		t.Errorf("the checks ask or need something else than %s says; write it anew with -update (-want +got):\n%s", file, diff)
	}
}

// transcribe writes down a check: it runs once as it is, and once for each part of each
// answer, with that changed.
func transcribe(t *testing.T, c check, out *strings.Builder, said map[string]bool) {
	plain := run(t, c, -1, -1, nil)
	if n := len(plain.asked); n > 100 {
		fmt.Fprintf(out, "  %d requests\n", n)
		return
	}
	for n, request := range plain.asked {
		var needed []string
		for k, name := range request.parts {
			if run(t, c, n, k, said).failed {
				needed = append(needed, name)
			}
		}
		fmt.Fprintf(out, "  %s %v\n", request.text, needed)
	}
}

func run(t *testing.T, c check, n, k int, said map[string]bool) *scribe {
	s := &scribe{store: dialogstore.NewMemory(), n: n, k: k}
	failures := recorder.Said(t, func(t testing.TB) { c.run(t, s) })
	s.failed = len(failures) > 0
	for _, text := range failures {
		said[text] = true
	}
	return s
}

// scribe is a Memory that notes what it is asked. It changes one part of one answer.
type scribe struct {
	store
	asked  []request
	n, k   int // the answer and the part that are changed
	failed bool
}

type request struct {
	text  string
	parts []string
}

type part struct {
	name   string
	change func()
}

// answered notes a request with its answer, and changes that if it is its turn.
func (s *scribe) answered(text string, err *error, parts ...part) {
	parts = append(parts, part{"error", func() { *err = turned(*err) }})
	r := request{text: fmt.Sprintf("%s = %v", text, *err)}
	for _, p := range parts {
		r.parts = append(r.parts, p.name)
	}
	if len(s.asked) == s.n {
		parts[s.k].change()
	}
	s.asked = append(s.asked, r)
}

func turned(err error) error {
	if err != nil {
		return nil
	}
	return errSpoiled
}

func idText(i id) string { return fmt.Sprintf("%s/%s/%s", i.CallID, i.LocalTag, i.RemoteTag) }

// of is a part of an answer that is a dialog.
func of(name string, d *dialog) []part {
	return []part{{name + ".origin", func() { d.Transport += "x" }}, {name + ".state", func() { d.RemoteTarget += "x" }}}
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
			part{"missing", func() { all = all[min(1, len(all)):] }},
			part{"twice", func() { all = append(all, all...) }},
			part{"states", func() {
				for i := range all {
					all[i].RemoteTarget += "x"
				}
			}})
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

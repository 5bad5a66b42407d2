package recorder

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Transcript records what the checks of a suite require: the requests of each check, the
// answers, and in brackets the parts of an answer that the check verifies. Then it lists how
// checks report their failures. The zero Transcript is empty.
type Transcript struct {
	text strings.Builder
	said map[string]bool
}

// Rule adds a check by name.
func (tr *Transcript) Rule(name, rule string) { fmt.Fprintf(&tr.text, "%s: %s\n", name, rule) }

// Requests adds the requests of a check, or only their number if there are more than most. run
// runs the check with a store or registry that calls the Scribe, and returns the result of
// Said. It is called once with all answers unchanged, and once for each part of each answer,
// with that part changed.
func (tr *Transcript) Requests(most int, run func(*Scribe) []string) {
	plain := &Scribe{turn: -1}
	run(plain)
	if n := len(plain.asked); n > most {
		fmt.Fprintf(&tr.text, "  %d requests\n", n)
		return
	}
	for n, request := range plain.asked {
		var needed []string
		for k, name := range request.parts {
			failures := run(&Scribe{turn: n, part: k})
			if len(failures) > 0 {
				needed = append(needed, name)
			}
			tr.heard(failures)
		}
		fmt.Fprintf(&tr.text, "  %s %v\n", request.text, needed)
	}
}

func (tr *Transcript) heard(failures []string) {
	if tr.said == nil {
		tr.said = make(map[string]bool)
	}
	for _, text := range failures {
		tr.said[text] = true
	}
}

var update = flag.Bool("update", false, "write the transcripts of the suites anew")

// Compare compares the transcript with a file.
func (tr *Transcript) Compare(t *testing.T, file string) {
	t.Helper()
	fmt.Fprintln(&tr.text, "\nWhat a check that fails says:")
	for _, text := range slices.Sorted(maps.Keys(tr.said)) {
		fmt.Fprintf(&tr.text, "  %s\n", text)
	}
	if *update {
		if err := os.WriteFile(file, []byte(tr.text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(tr.text.String(), "\n")); diff != "" {
		t.Errorf("the checks ask or need something else than %s says; write it anew with -update (-want +got):\n%s", file, diff)
	}
}

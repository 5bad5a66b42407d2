package sessiontimer_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const conformanceTable = "docs/conformance.md"

var (
	conformanceRow = regexp.MustCompile(`^\| [A-K]-`)
	rowStatus      = regexp.MustCompile(`^(holds|open|(different|out of scope): .+)$`)
	rowID          = regexp.MustCompile(`\b[A-J]-[0-9]{2}\b`)
	idInName       = regexp.MustCompile(`_([A-J])([0-9]{2})`) // as in TestRefused_C20
	declaredName   = regexp.MustCompile(`(?m)^(?:func (?:\(.*?\) )?|var |const )(\w+)`)
	word           = regexp.MustCompile(`\w+`)
)

// TestConformance holds the table and the tests together: each names the other.
func TestConformance(t *testing.T) {
	rows, sources := readConformance(t), readTests(t)
	for where, text := range sources {
		for _, id := range rowID.FindAllString(text, -1) {
			if rows[id] == nil {
				t.Errorf("%s cites %s, which is no row of %s: correct the citation, or add the row", where, id, conformanceTable)
			}
		}
	}
	for id, cells := range rows {
		last := cells[len(cells)-1]
		if id[0] == 'K' {
			for _, ref := range strings.Split(last, ", ") {
				if rows[ref] == nil {
					t.Errorf("%s refers to %s, which is no row: name those that hold the answer", id, ref)
				}
			}
			continue
		}
		for _, name := range strings.Split(cells[4], ", ") {
			if name != "-" {
				sources.check(t, id, name)
			}
		}
		switch {
		case !rowStatus.MatchString(last):
			t.Errorf(`%s has the status %q: write "holds", "different: why", "out of scope: why" or "open"`, id, last)
		case last == "holds" && cells[4] == "-":
			t.Errorf("%s holds, but no test shows it: name one, or make it open", id)
		case last == "open":
			t.Errorf("%s is open: write a test that provokes it and cites %s, and name it in %s", id, id, conformanceTable)
		}
	}
}

// readConformance reads the cells of each row, and checks that all rows are there.
func readConformance(t *testing.T) map[string][]string {
	text, err := os.ReadFile(conformanceTable)
	if err != nil {
		t.Fatal(err)
	}
	rows, size := make(map[string][]string), make(map[string]int)
	for _, line := range strings.Split(string(text), "\n") {
		if !conformanceRow.MatchString(line) {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		group := cells[0][:1]
		size[group]++
		if want := fmt.Sprintf("%s-%02d", group, size[group]); cells[0] != want {
			t.Errorf("%s stands where %s should: ids go up by one, none twice", cells[0], want)
		}
		if want := map[bool]int{false: 6, true: 5}[group == "K"]; len(cells) != want {
			t.Fatalf("%s has %d columns, should have %d, none of them empty", cells[0], len(cells), want)
		}
		rows[cells[0]] = cells
	}
	for group, n := range size {
		if says := fmt.Sprintf(" %s %d", group, n); !strings.Contains(string(text), says) {
			t.Errorf("%s does not say%s: correct its introduction, or the rows", conformanceTable, says)
		}
	}
	return rows
}

// testSources are the declarations in test files, by directory and name.
type testSources map[string]string

func readTests(t *testing.T) testSources {
	s := make(testSources)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, _ := os.ReadFile(path) // an empty one does not parse
		file, err := parser.ParseFile(token.NewFileSet(), path, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		end := token.Pos(1)
		for _, d := range file.Decls { // each with the comment above it
			text, name := string(src[end-1:d.End()-1]), ""
			if m := declaredName.FindStringSubmatch(text); m != nil {
				name = m[1]
			}
			s[filepath.Join(filepath.Dir(path), name)] += idInName.ReplaceAllString(text, "$0 $1-$2 ")
			end = d.End()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// check that there is such a test, in any directory, and that it cites the row.
func (s testSources) check(t *testing.T, id, name string) {
	wrong := "there is no such test: correct " + conformanceTable
	for key := range s {
		if filepath.Base(key) != name || !strings.HasPrefix(name, "Test") {
			continue
		}
		if s.cites(key, id, make(map[string]bool)) {
			return
		}
		wrong = fmt.Sprintf("it does not cite %s: write that into its name, comment or table, or name another test", id)
	}
	t.Errorf("%s names %s, but %s", id, name, wrong)
}

// cites reports whether a declaration has the id, or another of its directory that it uses.
func (s testSources) cites(key, id string, seen map[string]bool) bool {
	if seen[key] {
		return false
	}
	seen[key] = true
	return strings.Contains(s[key], id) || slices.ContainsFunc(word.FindAllString(s[key], -1), func(name string) bool {
		return s.cites(filepath.Join(filepath.Dir(key), name), id, seen)
	})
}

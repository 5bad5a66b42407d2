package middleware_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of docs/security.md")

// checkSection compares a part of docs/security.md, between two comments, with what a
// whole run of a test has found, or writes it.
func checkSection(t *testing.T, name, text string) {
	t.Helper()
	if t.Failed() {
		return
	}
	path := filepath.Join("..", "docs", "security.md")
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+", written by "+t.Name()+" -update -->\n", "<!-- end of "+name+" -->"
	head, rest, ok := strings.Cut(string(doc), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no lines %s and %s", path, strings.TrimSpace(begin), end)
	}
	if *update {
		if err := os.WriteFile(path, []byte(head+begin+text+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(old, text); diff != "" {
		t.Errorf("%s is stale, go test ./middleware -run '^%s$' -update writes it:\n%s", path, t.Name(), diff)
	}
}

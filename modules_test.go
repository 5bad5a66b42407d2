package sessiontimer_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// copyTree copies what the repository holds to a directory.
func copyTree(t *testing.T, to string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(name, ".") || name == "node_modules"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, path), 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWorkspaceSums: go.work.sum holds all that commands of a fresh clone would add to
// it, such as go doc, which read the whole graph of modules.
func TestWorkspaceSums(t *testing.T) {
	tree := t.TempDir()
	copyTree(t, tree)
	cmd := exec.Command("go", "list", "-m", "all")
	cmd.Dir, cmd.Env = tree, append(os.Environ(), "GOWORK="+filepath.Join(tree, "go.work"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go list -m all: %v\n%s", err, out)
	}
	kept, _ := os.ReadFile("go.work.sum")
	if got, err := os.ReadFile(filepath.Join(tree, "go.work.sum")); err != nil || string(got) != string(kept) {
		t.Errorf("go list -m all makes go.work.sum (%v)\n%swant it as it is here\n%s", err, got, kept)
	}
}

// TestSipgoAlone: a new application on sipgo gets sipgo and what that needs, and
// nothing of diago and its media, or of a database.
func TestSipgoAlone(t *testing.T) {
	tree, app := filepath.Join(t.TempDir(), "sessiontimer"), t.TempDir()
	copyTree(t, tree)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	main := goBlock.FindStringSubmatch(string(readme))[1]
	if strings.Contains(main, "diago") {
		t.Fatal("the first block of the README is not for sipgo alone")
	}
	if err := os.WriteFile(filepath.Join(app, "main.go"), []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"mod", "init", "example.org/app"},
		{"mod", "edit", "-replace", "github.com/sipgo-contrib/sessiontimer=" + tree},
		{"mod", "tidy"},
		{"vet", "."},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = app
		cmd.Env = append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(app, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "github.com/emiago/sipgo ") {
			t.Errorf("%s does not name sipgo:\n%s", name, text)
		}
		for line := range strings.Lines(string(text)) {
			for _, unwanted := range []string{"diago", "pion", "opus", "redis", "bbolt"} {
				if strings.Contains(strings.ReplaceAll(line, tree, ""), unwanted) {
					t.Errorf("%s has %s", name, strings.TrimSpace(line))
				}
			}
		}
	}
}

package apps

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The modules of this repository and, by what they are used with, where their
// versions are taken from.
const (
	ours       = "github.com/sipgo-contrib/sessiontimer"
	root       = "../.."
	diagotimer = root + "/middleware/diagotimer"
)

// heavy is what an application on sipgo alone must not have to fetch.
var heavy = regexp.MustCompile(`(?i)diago|pion|opus`)

// build makes a module of the files under testdata/name, in a directory outside of
// the workspace, and builds it as its author would. The version of each stack is the
// one that this repository is tested with.
func build(t *testing.T, name string) (program string) {
	t.Helper()
	dir := t.TempDir()
	source, err := os.ReadFile(filepath.Join("testdata", name, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	onDiago := strings.Contains(string(source), `"github.com/emiago/diago"`)
	stacks, from := []string{"github.com/emiago/sipgo"}, root
	if onDiago {
		stacks, from = append(stacks, "github.com/emiago/diago"), diagotimer
	}
	mod := "module example.com/" + name + "\n\ngo 1.25\n"
	for _, stack := range stacks {
		mod += "\nrequire " + version(t, from, stack) + "\n"
	}
	mod += "\nreplace " + ours + " => " + absolute(t, root) + "\n"
	if onDiago {
		mod += "\nreplace " + ours + "/middleware/diagotimer => " + absolute(t, diagotimer) + "\n"
	}
	sums, err := os.ReadFile(filepath.Join(from, "go.sum")) // what is fetched already need not be looked up
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{"main.go": source, "go.mod": []byte(mod), "go.sum": sums} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, name)
	for _, args := range [][]string{{"mod", "tidy"}, {"build", "-buildvcs=false", "-ldflags=-s -w", "-o", program, "."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s\n%s", strings.Join(args, " "), err, mod, out)
		}
	}
	if !onDiago {
		wantLight(t, dir)
	}
	return program
}

// version is the requirement of a module as the go.mod in dir has it.
func version(t *testing.T, dir, module string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(regexp.QuoteMeta(module) + ` v\S+`).FindString(string(text))
	if found == "" {
		t.Fatalf("%s/go.mod does not require %s", dir, module)
	}
	return found
}

// wantLight checks that nothing heavy came along.
func wantLight(t *testing.T, dir string) {
	t.Helper()
	for _, file := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if heavy.MatchString(line) && !strings.HasPrefix(line, "replace ") {
				t.Errorf("an application on sipgo alone has in its %s: %s", file, line)
			}
		}
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

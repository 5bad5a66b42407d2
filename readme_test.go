package sessiontimer_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	goBlock   = regexp.MustCompile("(?s)```go\n(.*?)```")
	diffBlock = regexp.MustCompile("(?s)```diff\n(.*?)```")
	declared  = regexp.MustCompile(`(?m)^(\w+)(?:, err)? :=`)
)

// TestREADMECompiles vets every Go block of the README and the guide: readers copy
// them.
func TestREADMECompiles(t *testing.T) {
	blocks := blocksOf(t, "README.md", goBlock)
	if len(blocks) < 3 {
		t.Fatalf("README has %d Go blocks, want one for sipgo, one for diago and one for tests", len(blocks))
	}
	more := blocksOf(t, guide, goBlock)
	if len(more) == 0 {
		t.Fatalf("%s has no Go block", guide)
	}
	for i, block := range append(blocks, more...) {
		name := "main.go"
		if strings.Contains(block, `"testing"`) {
			name = "app_test.go"
		}
		t.Run(fmt.Sprintf("block %d", i+1), func(t *testing.T) { vet(t, name, block) })
	}
}

// TestREADMEDiffs vets the code before and after each diff of the README and the guide.
func TestREADMEDiffs(t *testing.T) {
	blocks := blocksOf(t, "README.md", diffBlock)
	if len(blocks) == 0 {
		t.Fatal("README has no diff, want the one line")
	}
	for i, block := range append(blocks, blocksOf(t, guide, diffBlock)...) {
		for sign, side := range map[string]string{"+": "before", "-": "after"} { // the sign of what it lacks
			var lines []string
			for line := range strings.Lines(block) {
				if !strings.HasPrefix(line, sign) {
					lines = append(lines, line[1:])
				}
			}
			t.Run(fmt.Sprintf("diff %d %s", i+1, side), func(t *testing.T) { vet(t, "main.go", inMain(lines)) })
		}
	}
}

// inMain completes an excerpt to a program.
func inMain(lines []string) string {
	text := strings.Join(lines, "")
	imports, given := "", "var onBye sipgo.RequestHandler\n"
	for name, path := range map[string]string{
		"sipgo": "github.com/emiago/sipgo", "diago": "github.com/emiago/diago",
		"middleware": ours + "/middleware", "diagotimer": ours + "/middleware/diagotimer",
	} {
		if name == "sipgo" || strings.Contains(text, name+".") || name == "diago" && strings.Contains(text, "options") {
			imports += fmt.Sprintf("import %q\n", path)
		}
	}
	if strings.Contains(text, "options") {
		given += "var options []diago.DiagoOption\n"
	}
	for _, m := range declared.FindAllStringSubmatch(text, -1) {
		text += "_ = " + m[1] + "\n"
	}
	if strings.Contains(text, "err :=") {
		text += "_ = err\n"
	}
	return "package main\n" + imports + given + "func main() {\n" + text + "}\n"
}

const (
	ours  = "github.com/sipgo-contrib/sessiontimer"
	guide = "docs/guide.md"
)

// blocksOf returns the code blocks of one kind in a page.
func blocksOf(t *testing.T, page string, kind *regexp.Regexp) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range kind.FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// vet runs go vet on a file, in the module that has its imports.
func vet(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "vet", file)
	if strings.Contains(text, "github.com/emiago/diago\"") {
		cmd.Dir = "middleware/diagotimer"
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("does not compile: %v\n%s\n%s", err, out, text)
	}
}

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

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// TestREADMECompiles vets every Go block of the README, so that what it shows
// can be copied.
func TestREADMECompiles(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 3 {
		t.Fatalf("README has %d Go blocks, want one for sipgo, one for diago and one for tests", len(blocks))
	}
	for i, block := range blocks {
		name := "main.go"
		if strings.Contains(block[1], `"testing"`) {
			name = "app_test.go"
		}
		t.Run(fmt.Sprintf("block %d", i+1), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(file, []byte(block[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			vet := exec.Command("go", "vet", file)
			if strings.Contains(block[1], "/diagotimer\"") {
				vet.Dir = "middleware/diagotimer" // whose module has diago
			}
			if out, err := vet.CombinedOutput(); err != nil {
				t.Errorf("block does not compile: %v\n%s\n%s", err, out, block[1])
			}
		})
	}
}

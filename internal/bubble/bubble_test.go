package bubble

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Timers are due on one processor alone where the race detector looks on.
func TestOneProcessor(t *testing.T) {
	Test(t, func(t *testing.T) {
		if n := runtime.GOMAXPROCS(0); UnderRace && n != 1 {
			t.Errorf("%d processors under the race detector, want 1", n)
		}
		begun := time.Now()
		time.Sleep(time.Hour)
		if d := time.Since(begun); d != time.Hour {
			t.Errorf("an hour took %v: not in a bubble", d)
		}
	})
}

// No other package opens a bubble by itself.
func TestOnlyHere(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || filepath.Base(path) == "bubble.go" {
			return err
		}
		text, err := os.ReadFile(path)
		if call := []byte("synctest." + "Test("); bytes.Contains(text, call) {
			t.Errorf("%s: use bubble.Test", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

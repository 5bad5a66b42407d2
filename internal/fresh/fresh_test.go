package fresh

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// A test runs in a process of its own.
func TestProcess(t *testing.T) {
	const mark = "SESSIONTIMER_MARK"
	if os.Getenv(variable) == "" {
		t.Setenv(mark, filepath.Join(t.TempDir(), "pid"))
	}
	pid := strconv.Itoa(os.Getpid())
	if Process(t) {
		if err := os.WriteFile(os.Getenv(mark), []byte(pid), 0o600); err != nil {
			t.Error(err)
		}
		return
	}
	if other, err := os.ReadFile(os.Getenv(mark)); err != nil || string(other) == pid {
		t.Errorf("process %s of %s (%v)", other, pid, err)
	}
}

// What fails there fails here.
func TestFailure(t *testing.T) {
	const outer = "SESSIONTIMER_OUTER"
	if os.Getenv(outer) != "" {
		if Process(t) {
			t.Error("on purpose")
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFailure$")
	cmd.Env = append(os.Environ(), outer+"=1")
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("it has not failed:\n%s", out)
	}
}

// Package fresh runs a test in a process of its own, for measurements of memory: what tests
// before it have left, and free in the midst of it, does not count there.
package fresh

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

const variable = "SESSIONTIMER_FRESH"

// Process reports whether this process runs nothing but the test. If not, it has one do so,
// and logs what that says; the test fails if it fails there, and need only return.
func Process(t *testing.T) bool {
	t.Helper()
	if os.Getenv(variable) == t.Name() {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+t.Name())
	out, err := cmd.CombinedOutput()
	if t.Logf("in a process of its own:\n%s", out); err != nil {
		t.Error(err)
	}
	return false
}

//go:build interop

package interop

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var (
	update = flag.Bool("update", false, "write docs/interop.md")
	race   = flag.Bool("racy", true, "build the programs under test with the race detector")
)

// bin is where TestMain puts the programs, root the module.
var bin, root string

func TestMain(m *testing.M) {
	flag.Parse()
	status, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin = dir
	if root, err = filepath.Abs("../.."); err != nil {
		return 0, err
	}
	if err := build(dir); err != nil {
		return 0, err
	}
	// The tests wait for other processes and take little time of their own.
	if err := flag.Set("test.parallel", "64"); err != nil {
		return 0, err
	}
	status := m.Run()
	if *update && status == 0 {
		err = writeDoc(filepath.Join(root, "docs", "interop.md"))
	}
	return status, err
}

// build makes the programs under test once.
func build(dir string) error {
	args := []string{"build", "-buildvcs=false", "-tags", "interop", "-o", dir}
	if *race {
		args = append(args, "-race")
	}
	args = append(args, "./examples/uas", "./examples/uac", "./examples/diago", "./internal/interop/subject")
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// need skips a test loudly where a program is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed; .ci/interop installs it", name)
		}
		t.Skipf("SKIPPED: %s is not installed; .ci/interop installs it", name)
	}
}

// runway lets a few calls begin at a time: the start of many programs at once
// would make the first messages late.
var runway = make(chan struct{}, 6)

// takeOff waits for the runway. The function that it returns leaves it free,
// once; the end of the test does so at the latest.
func takeOff(t *testing.T) (up func()) {
	t.Helper()
	runway <- struct{}{}
	up = sync.OnceFunc(func() { <-runway })
	t.Cleanup(up)
	return up
}

//go:build unix

package examples_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/program"
)

// patient bounds every wait for a program.
const patient = 10 * time.Second

// bin is where TestMain puts the programs.
var bin string

func TestMain(m *testing.M) {
	status, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin = dir
	// The tests wait for other processes and take no time of this one.
	flag.Parse()
	if err := flag.Set("test.parallel", "24"); err != nil {
		return 0, err
	}
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", dir, "./uas", "./uac").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// process is a program under test.
type process struct{ *program.Program }

// start runs a program until it ends, or the test does.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	return &process{program.Start(t, exec.Command(filepath.Join(bin, name), args...))}
}

// stop ends a program as a service manager does.
func (p *process) stop() {
	p.Helper()
	p.Signal(syscall.SIGTERM)
	p.exits(0)
}

// exits waits for the end of the program.
func (p *process) exits(status int) {
	p.Helper()
	p.Exits(status, patient)
}

// says waits for something on standard error and returns its last group.
func (p *process) says(pattern string) string {
	p.Helper()
	return p.Says(p.Stderr, pattern, patient)
}

// reports waits for an event.
func (p *process) reports(event string) {
	p.Helper()
	p.Says(p.Stdout, `"event":"`+event+`"`, patient)
}

// address is where a uas listens.
func (p *process) address() string {
	p.Helper()
	return p.says(`listening on \w+ (\S+);`)
}

//go:build unix

package examples_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
)

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
type process struct {
	t              *testing.T
	name           string
	cmd            *exec.Cmd
	stdout, stderr *transcript.Text
	done           chan struct{}
	status         int
}

// start runs a program until it ends, or the test does.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, stdout: new(transcript.Text), stderr: new(transcript.Text), done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(bin, name), args...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		err := p.cmd.Wait()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			p.status = exit.ExitCode()
		}
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s %s\n%s%s", name, strings.Join(args, " "), p.stderr.String(), p.stdout.String())
		}
	})
	return p
}

// signal sends a signal.
func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// stop ends a program as a service manager does.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.exits(0, 5*time.Second)
}

// exits waits for the end of the program.
func (p *process) exits(status int, limit time.Duration) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.t.Fatalf("%s still runs after %v", p.name, limit)
	}
	if p.status != status {
		p.t.Fatalf("%s ended with status %d, want %d", p.name, p.status, status)
	}
}

// says waits for something on standard error and returns its first group.
func (p *process) says(pattern string) string {
	p.t.Helper()
	return p.await(p.stderr, pattern)
}

// reports waits for an event.
func (p *process) reports(event string) {
	p.t.Helper()
	p.await(p.stdout, `"event":"`+event+`"`)
}

func (p *process) await(o *transcript.Text, pattern string) string {
	p.t.Helper()
	m := o.Await(regexp.MustCompile(pattern), 10*time.Second)
	if m == nil {
		p.t.Fatalf("%s never printed %s", p.name, pattern)
	}
	return m[len(m)-1]
}

// address is where a uas listens.
func (p *process) address() string {
	p.t.Helper()
	return p.says(`listening on \w+ (\S+);`)
}

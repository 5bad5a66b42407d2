//go:build interop

package interop

import (
	"errors"
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

// lifespan bounds every process, whatever its test does.
const lifespan = 4 * time.Minute

// process is a program that runs: one under test, or a peer.
type process struct {
	t              *testing.T
	name           string
	cmd            *exec.Cmd
	stdout, stderr *transcript.Text
	done           chan struct{}
	status         int
}

// spawn starts a program that ends with the test at the latest. It dies with
// this process, too, however that ends.
func spawn(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(cmd.Path), cmd: cmd, stdout: new(transcript.Text), stderr: new(transcript.Text), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(lifespan, p.kill)
	go func() {
		defer close(p.done)
		defer limit.Stop()
		err := cmd.Wait()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			p.status = exit.ExitCode()
		}
	}()
	t.Cleanup(func() {
		p.kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s\n%s", strings.Join(cmd.Args, " "), tail(p.stderr.String()+p.stdout.String(), 12000))
		}
	})
	return p
}

// kill ends the process and what it started, without a warning.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
}

// exits waits for the end of the process.
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

// says waits for a line that matches and returns its last group.
func (p *process) says(o *transcript.Text, pattern string, limit time.Duration) string {
	p.t.Helper()
	m := o.Await(regexp.MustCompile(pattern), limit)
	if m == nil {
		p.t.Fatalf("%s did not print %s within %v", p.name, pattern, limit)
	}
	return m[len(m)-1]
}

// descriptors counts the files and sockets that the process has open.
func (p *process) descriptors() int {
	p.t.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc", itoa(p.cmd.Process.Pid), "fd"))
	if err != nil {
		p.t.Fatal(err)
	}
	return len(entries)
}

// tail is the last n bytes of s.
func tail(s string, n int) string {
	if len(s) > n {
		return "[...]" + s[len(s)-n:]
	}
	return s
}

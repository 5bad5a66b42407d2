//go:build unix

// Package program runs programs for tests.
package program

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

// Lifespan bounds every program, whatever its test does.
const Lifespan = 4 * time.Minute

// Program is a program that runs. What it prints is logged if its test fails.
type Program struct {
	testing.TB
	Cmd            *exec.Cmd
	Stdout, Stderr *transcript.Text

	done   chan struct{}
	status int
}

// Start starts a program in a process group of its own, which ends with the test at the latest.
func Start(t testing.TB, cmd *exec.Cmd) *Program {
	t.Helper()
	p := &Program{TB: t, Cmd: cmd, Stdout: new(transcript.Text), Stderr: new(transcript.Text), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.Stdout, p.Stderr
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.WaitDelay = time.Second // what it started may have its output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(Lifespan, p.Kill)
	go func() {
		defer close(p.done)
		defer limit.Stop()
		err := cmd.Wait()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			p.status = exit.ExitCode()
		}
	}()
	t.Cleanup(func() {
		p.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s\n%s", strings.Join(cmd.Args, " "), Tail(p.Stderr.String()+p.Stdout.String(), 12000))
		}
	})
	return p
}

// Kill ends the program and what it started, without a warning.
func (p *Program) Kill() { _ = syscall.Kill(-p.Cmd.Process.Pid, syscall.SIGKILL) }

// Signal sends a signal, unless the program has ended.
func (p *Program) Signal(s os.Signal) {
	p.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.Fatal(err)
	}
}

// Exits waits for the end of the program, which must have that status: -1 if a signal ended it.
func (p *Program) Exits(status int, limit time.Duration) {
	p.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.Fatalf("%s still runs after %v", p.name(), limit)
	}
	if p.status != status {
		p.Fatalf("%s ended with status %d, want %d", p.name(), p.status, status)
	}
}

// Says waits until out matches the pattern, and returns the last group of the match.
func (p *Program) Says(out *transcript.Text, pattern string, limit time.Duration) string {
	p.Helper()
	m := out.Await(regexp.MustCompile(pattern), limit)
	if m == nil {
		p.Fatalf("%s did not print %s within %v", p.name(), pattern, limit)
	}
	return m[len(m)-1]
}

func (p *Program) name() string { return filepath.Base(p.Cmd.Path) }

// Tail returns the last n bytes of s.
func Tail(s string, n int) string {
	if len(s) > n {
		return "[...]" + s[len(s)-n:]
	}
	return s
}

//go:build unix

package main

import (
	"encoding/json"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/freeport"
	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
)

// A process is a node or a redis-server, which the test kills, stops and starts again.
type process struct {
	t    *testing.T
	name string
	args []string
	cmd  *exec.Cmd

	out transcript.Text
}

// event is one that a node prints.
type event struct {
	Event  string
	CallID string `json:"call_id"`
	Time   time.Time
}

// all yields the events that the process has printed.
func (p *process) all(yield func(event) bool) {
	for line := range strings.Lines(p.out.String()) {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil && !yield(e) {
			return
		}
	}
}

// events counts those of a name.
func (p *process) events(name string) (n int) {
	for e := range p.all {
		if e.Event == name {
			n++
		}
	}
	return n
}

// ended returns which calls have ended, and when.
func (p *process) ended() map[string]time.Time {
	calls := make(map[string]time.Time)
	for e := range p.all {
		if e.Event == "ended" {
			calls[e.CallID] = e.Time
		}
	}
	return calls
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// end sends a signal and waits for the end.
func (p *process) end(s syscall.Signal) {
	p.signal(s)
	_ = p.cmd.Wait()
}

func launch(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, args: args}
	p.start()
	t.Cleanup(func() {
		p.signal(syscall.SIGCONT)
		p.end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("%s\n%s", name, p.out.String())
		}
	})
	return p
}

// redisServer starts the registry of the nodes on a free port.
func redisServer(t *testing.T) (addr string, p *process) {
	t.Helper()
	path := need(t, "redis-server", "redis-server", ".ci/redis")
	addr = freeport.Addr(t)
	_, port, _ := net.SplitHostPort(addr)
	p = launch(t, "redis-server", path, "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "yes", "--appendfsync", "always")
	eventually(t, "redis-server listens", func() bool { return answers(addr) })
	return addr, p
}

func answers(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// eventually waits for what must come, though not how soon: the machine may be busy.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); {
		if time.Now().After(end) {
			t.Fatalf("after a minute it is still not so that %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// build makes the program under test.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

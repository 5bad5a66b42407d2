//go:build unix

package program

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

const patient = time.Minute

func TestProgram(t *testing.T) {
	p := Start(t, exec.Command("sh", "-c", "echo port 5060; echo oops >&2; read line; exit 3"))
	if port := p.Says(p.Stdout, `port (\d+)`, patient); port != "5060" {
		t.Errorf("the port is %q, want 5060", port)
	}
	p.Says(p.Stderr, "oops", patient)
	p.Exits(3, patient)
	p.Signal(syscall.SIGTERM) // it has ended: no error
}

// Kill ends what the program has started, too: nobody is left who could write to the pipe.
func TestKill(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", "sleep 600 & echo up; wait")
	cmd.ExtraFiles = []*os.File{w}
	p := Start(t, cmd)
	_ = w.Close()
	p.Says(p.Stdout, "up", patient)
	p.Kill()
	p.Exits(-1, patient)
	_ = r.SetReadDeadline(time.Now().Add(patient))
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("%v, want EOF", err)
	}
}

func TestTail(t *testing.T) {
	if got := Tail("hello", 5) + Tail("hello", 2); got != "hello[...]lo" {
		t.Errorf("%q", got)
	}
}

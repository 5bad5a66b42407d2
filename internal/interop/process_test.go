//go:build interop

package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/internal/program"
)

// spawn starts a program: one under test, or a peer. It dies with this process, too, however
// that ends.
func spawn(t *testing.T, cmd *exec.Cmd) *program.Program {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	}
	return program.Start(t, cmd)
}

// descriptors counts the files and sockets that a program has open.
func descriptors(p *program.Program) int {
	p.Helper()
	entries, err := os.ReadDir(filepath.Join("/proc", itoa(p.Cmd.Process.Pid), "fd"))
	if err != nil {
		p.Fatal(err)
	}
	return len(entries)
}

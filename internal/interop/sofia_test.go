//go:build interop

package interop

import (
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/program"
)

var sofia = &peerKind{
	name:     "sofia-sip",
	interval: 8,
	slots:    make(chan struct{}, 14),
	start:    startSofia,
	meek:     true,
}

func TestSofia(t *testing.T) {
	t.Parallel()
	buildSofia(t)
	matrix(t, sofia, "INVITE", "UPDATE")
}

// compileSofia makes the phone of sofia/peer.c once.
var compileSofia = sync.OnceValue(func() error {
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "sofia-sip-ua").Output()
	if err != nil {
		return err
	}
	args := append([]string{"-O1", "-o", filepath.Join(bin, "sofia"), filepath.Join("sofia", "peer.c")}, strings.Fields(string(flags))...)
	return exec.Command("gcc", args...).Run()
})

func buildSofia(t *testing.T) {
	t.Helper()
	need(t, "gcc", "pkg-config")
	if err := compileSofia(); err != nil {
		t.Fatalf("sofia/peer.c: %v; libsofia-sip-ua-dev has the library", err)
	}
}

// console is a peer that takes commands on its standard input.
type console struct {
	*program.Program
	stdin           io.Writer
	callCmd, byeCmd string
}

func startConsole(t *testing.T, cmd *exec.Cmd) *console {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return &console{Program: spawn(t, cmd), stdin: stdin, callCmd: "call ", byeCmd: "bye"}
}

func (c *console) tell(command string) {
	c.Helper()
	if _, err := io.WriteString(c.stdin, command+"\n"); err != nil {
		c.Fatalf("%s takes no commands: %v", c.Cmd.Path, err)
	}
}

func (c *console) call(uri string) { c.tell(c.callCmd + uri) }
func (c *console) hangUp()         { c.tell(c.byeCmd) }

func startSofia(t *testing.T, s scene, port int) phone {
	refresher, method := "local", "0"
	if s.refresher == theSubject {
		refresher = "remote"
	}
	if s.method == "UPDATE" {
		method = "1"
	}
	c := startConsole(t, exec.Command(filepath.Join(bin, "sofia"), itoa(port), itoa(s.interval), "1", refresher, method))
	c.Says(c.Stderr, "ready", 10*time.Second)
	return c
}

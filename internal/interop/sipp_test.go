//go:build interop

package interop

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/program"
)

var (
	sipp = &peerKind{
		name:     "SIPp",
		interval: 6,
		slots:    make(chan struct{}, 40),
		start:    startSIPp,
	}
	sippTCP = &peerKind{
		name:     "SIPp over TCP",
		interval: 6,
		slots:    make(chan struct{}, 40),
		start:    startSIPp,
	}
)

func TestSIPp(t *testing.T) {
	t.Parallel()
	need(t, "sipp")
	matrix(t, sipp, "UPDATE", "INVITE")
}

func TestSIPpTCP(t *testing.T) {
	t.Parallel()
	need(t, "sipp")
	matrix(t, sippTCP, "UPDATE", "INVITE")
}

// sippPhone is SIPp with a scenario: it hangs up when that says so.
type sippPhone struct {
	*program.Program
	begin func()
}

func (p *sippPhone) call(string) { p.begin() }
func (p *sippPhone) hangUp()     {}

// startSIPp starts SIPp with the scenario of s.
func startSIPp(t *testing.T, s scene, port int) phone {
	p := &sippPhone{}
	if s.caller == theSubject {
		p.Program = runSIPp(t, s.transport, s.host, port, "", sippScene(s))
		awaitListener(t, s.transport, port)
		return p
	}
	// It calls at once, so it starts when it has to call.
	p.begin = func() { p.Program = runSIPp(t, s.transport, s.host, port, s.target, sippScene(s)) }
	return p
}

// runSIPp plays a scenario of one call, with target if it calls.
func runSIPp(t *testing.T, transport, host string, port int, target, xml string) *program.Program {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "call.xml")
	if err := os.WriteFile(file, []byte(xml), 0o644); err != nil {
		t.Fatal(err)
	}
	mode := "u1"
	if transport == "tcp" {
		mode = "t1"
	}
	host = cmp.Or(host, "127.0.0.1")
	args := []string{"-sf", file, "-i", host, "-p", itoa(port), "-mi", host, "-mp", itoa(port + 2),
		"-cp", itoa(freePort(t)), "-t", mode, "-m", "1", "-nostdin", "-timeout", "120", "-timeout_error",
		"-trace_err", "-error_file", filepath.Join(dir, "errors")}
	if target != "" {
		args = append(args, target)
	}
	cmd := exec.Command("sipp", args...)
	cmd.Dir = dir
	p := spawn(t, cmd)
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "errors"))
			t.Logf("SIPp's errors:\n%s", program.Tail(string(log), 4000))
		}
	})
	return p
}

// sippScene is the scenario of a call of the matrix: two refreshes, and BYE.
func sippScene(s scene) string {
	interval := time.Duration(s.interval) * time.Second
	refresher := "uac"
	if s.caller != s.refresher {
		refresher = "uas"
	}
	header := func(role string) []string {
		return []string{fmt.Sprintf("Session-Expires: %d;refresher=%s", s.interval, role), "Supported: timer"}
	}
	x := newScript(s.caller == theSubject)
	if x.callee {
		x.up(append(header(refresher), "Require: timer")...)
	} else {
		x.invite(append(header(refresher), "Min-SE: 1")...)
	}
	rounds := 2
	if s.end == "killed" {
		rounds = 4
	}
	for range rounds {
		if s.refresher == thePeer {
			x.pause(interval/2).refresh(s.method, header("uac")...)
		} else {
			x.refreshed(s.method, append(header("uac"), "Require: timer")...)
		}
	}
	if s.end == "subject" {
		x.over()
	} else {
		x.pause(interval / 5).bye()
	}
	return x.xml()
}

// fine checks that the scenario was played to its end.
func (p *sippPhone) fine(limit time.Duration) {
	p.Helper()
	p.Exits(0, limit)
}

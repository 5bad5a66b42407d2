//go:build unix

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sipgo-contrib/sessiontimer/internal/program"
	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
)

// patient bounds every wait of these tests.
const patient = 10 * time.Second

var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "diago")
	if err == nil {
		var out []byte
		out, err = exec.Command("go", "build", "-buildvcs=false", "-o", dir, ".", "github.com/sipgo-contrib/sessiontimer/examples/uac").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("build: %w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = dir
	// The tests wait for other processes and take no time of this one.
	flag.Parse()
	_ = flag.Set("test.parallel", "24")
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// process is a program under test.
type process struct{ *program.Program }

func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	return &process{program.Start(t, exec.Command(filepath.Join(bin, name), args...))}
}

// says waits for something that the program prints and returns its last group.
func (p *process) says(out *transcript.Text, pattern string) string {
	p.Helper()
	return p.Says(out, pattern, patient)
}

// ends waits for the program and returns the lines that it printed.
func (p *process) ends(status int) (stdout, stderr []string) {
	p.Helper()
	p.Exits(status, patient)
	return slices.Collect(strings.Lines(p.Stdout.String())), slices.Collect(strings.Lines(p.Stderr.String()))
}

// listening starts the answering machine.
func listening(t *testing.T, flags string) (p *process, addr string) {
	t.Helper()
	p = start(t, "diago", append(strings.Fields(flags), "-listen", "127.0.0.1:0", "-unsafe-intervals")...)
	return p, p.says(p.Stderr, `listening on \w+ (\S+);`)
}

func call(t *testing.T, addr, flags string) *process {
	t.Helper()
	return start(t, "uac", append(strings.Fields(flags), "-to", "sip:machine@"+addr, "-unsafe-intervals", "-session-expires", "4s")...)
}

// events are printed events in short: "refreshed 4 peer UPDATE".
func events(t *testing.T, lines []string) []string {
	t.Helper()
	var out []string
	for _, line := range lines {
		var e struct {
			Event, Refresher, Method string
			Interval                 json.Number
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("not an event: %q", line)
		}
		out = append(out, strings.TrimSpace(strings.Join([]string{e.Event, e.Interval.String(), e.Refresher, e.Method}, " ")))
	}
	return out
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct{ name, machine, caller, who, method string }{
		{"udp", "", "", "peer", "UPDATE"},
		{"tcp", "-transport tcp", "-transport tcp", "peer", "UPDATE"},
		{"diago refreshes", "-refresher local", "", "local", "UPDATE"},
		{"diago refreshes by re-INVITE", "-refresher local -method invite", "", "local", "INVITE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			machine, addr := listening(t, tt.machine)
			call(t, addr, tt.caller+" -duration 5s").ends(0)
			machine.Signal(syscall.SIGTERM)
			stdout, stderr := machine.ends(0)
			want := []string{"negotiated 4 " + tt.who, "refreshed 4 " + tt.who + " " + tt.method,
				"refreshed 4 " + tt.who + " " + tt.method, "ended 4 " + tt.who}
			if diff := cmp.Diff(want, events(t, stdout)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			// diago may say that its RTCP ended with the media.
			if stderr = slices.DeleteFunc(stderr, func(line string) bool { return strings.Contains(line, "RTCP") }); len(stderr) != 1 {
				t.Errorf("says %q, want only where it listens on a call without trouble", stderr)
			}
		})
	}
}

// TestStops: a signal hangs up and ends with 0.
func TestStops(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			machine, addr := listening(t, "")
			caller := call(t, addr, "")
			machine.says(machine.Stdout, `"negotiated"`)
			caller.says(caller.Stdout, `"negotiated"`)
			machine.Signal(signal)
			machine.ends(0)
			if stdout, _ := caller.ends(0); len(stdout) == 0 || !strings.Contains(stdout[len(stdout)-1], `"ended"`) {
				t.Errorf("the caller prints %q, want its call to have ended", stdout)
			}
		})
	}
}

// TestCallerDies: the timer ends the call, the machine lives on.
func TestCallerDies(t *testing.T) {
	t.Parallel()
	machine, addr := listening(t, "")
	caller := call(t, addr, "")
	machine.says(machine.Stdout, `"refreshed"`) // the call stands: its answer is acknowledged
	caller.Kill()
	machine.says(machine.Stdout, `"expired".*"reason":"Session timer expired"`)
	machine.says(machine.Stdout, `"ended"`)
	call(t, addr, "-duration 1s").ends(0)
	machine.Signal(os.Interrupt)
	machine.ends(0)
}

func TestHangsUp(t *testing.T) {
	t.Parallel()
	machine, addr := listening(t, "-duration 1s -run-for 4s")
	call(t, addr, "").ends(0)
	machine.ends(0)
}

func TestPassword(t *testing.T) {
	t.Parallel()
	machine, addr := listening(t, "-user bob -password secret")
	call(t, addr, "-user bob -password secret -duration 3s").ends(0)
	call(t, addr, "-user bob -password wrong").ends(1)
	call(t, addr, "").ends(1)
	machine.Signal(os.Interrupt)
	machine.ends(0)
}

// TestBadStart: what cannot work ends with one clear line.
func TestBadStart(t *testing.T) {
	t.Parallel()
	busy, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	taken := busy.LocalAddr().String()
	for _, tt := range []struct {
		flags  string
		status int
		want   string
	}{
		{"-x", 2, "flag provided but not defined: -x"},
		{"-mode maybe", 2, `invalid value "maybe" for flag -mode`},
		{"-session-expires 4s", 2, "-unsafe-intervals allows it in a lab"},
		{"-listen " + taken, 1, "cannot listen on udp " + taken + ": address already in use"},
		{"-listen 127.0.0.1:65536", 1, "cannot listen on udp 127.0.0.1:65536: invalid port"},
		{"-listen 203.0.113.1:5060", 1, "cannot listen on udp 203.0.113.1:5060: "},
	} {
		t.Run(tt.flags, func(t *testing.T) {
			t.Parallel()
			stdout, stderr := start(t, "diago", strings.Fields(tt.flags)...).ends(tt.status)
			if len(stdout) > 0 || len(stderr) != 1 || !strings.HasPrefix(stderr[0], "diago: ") || !strings.Contains(stderr[0], tt.want) {
				t.Errorf("prints %q and says %q, want one line with %q", stdout, stderr, tt.want)
			}
		})
	}
}

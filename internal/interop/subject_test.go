//go:build interop

package interop

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/program"
)

// subject is a program under test.
type subject struct {
	*program.Program
	asked bool // to end
}

// event is a line of its standard output.
type event struct {
	Time      time.Time `json:"time"`
	Event     string    `json:"event"`
	CallID    string    `json:"call_id"`
	Interval  float64   `json:"interval"`
	Refresher string    `json:"refresher"`
	Method    string    `json:"method"`
	Status    int       `json:"status"`
	Reason    string    `json:"reason"`
}

// startSubject starts uas, uac, diago or subject with flags.
func startSubject(t *testing.T, name, addr string, args ...string) *subject {
	t.Helper()
	args = append([]string{"-listen", addr}, args...)
	s := &subject{}
	s.Program = spawn(t, exec.Command(filepath.Join(bin, name), args...))
	if name != "uac" {
		s.Says(s.Stderr, `listening on`, 20*time.Second)
	}
	return s
}

// events are those so far.
func (s *subject) events() []event {
	var all []event
	for line := range strings.Lines(s.Stdout.String()) {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil && e.Event != "" {
			all = append(all, e)
		}
	}
	return all
}

// reports waits for an event.
func (s *subject) reports(name string, limit time.Duration) event {
	s.Helper()
	s.Says(s.Stdout, `"event":"`+name+`".*\n`, limit)
	for _, e := range s.events() {
		if e.Event == name {
			return e
		}
	}
	s.Fatalf("no event %s", name)
	return event{}
}

// quiet checks that the program has nothing to complain about that it should not
// have.
func (s *subject) quiet() {
	s.Helper()
	var text strings.Builder
	for line := range strings.Lines(s.Stderr.String()) {
		// diago is loud about its media: about the datagrams that some peers open
		// NAT bindings with, and about the end of its own reports; sipgo about peers
		// that drop their connection.
		if !strings.Contains(line, "RTCP") && !strings.Contains(line, "connection reset by peer") && !strings.Contains(line, "ACK loop retransimission") {
			text.WriteString(line)
		}
	}
	for _, bad := range []string{"DATA RACE", "panic:", "level=ERROR", "fatal error"} {
		if strings.Contains(text.String(), bad) {
			s.Errorf("%s says %q:\n%s", s.Cmd.Path, bad, program.Tail(text.String(), 8000))
		}
	}
}

// term asks the program to hang up and end, as a service manager does. To ask
// twice would kill it.
func (s *subject) term() {
	s.Helper()
	if s.asked {
		return
	}
	s.asked = true
	s.Signal(syscall.SIGTERM)
}

// leave ends the program, unless it ends with its call, and checks that it went
// well.
func (s *subject) leave() { s.leaveWith(0) }

func (s *subject) leaveWith(status int) {
	s.Helper()
	if filepath.Base(s.Cmd.Path) != "uac" {
		if !s.asked {
			time.Sleep(settle)
		}
		s.term()
	}
	s.Exits(status, 12*time.Second)
	s.quiet()
}

// settle is what an application needs to see that its call is over, once the
// peer's BYE is answered. Asked to end before, it sends one too.
const settle = 300 * time.Millisecond

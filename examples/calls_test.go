//go:build unix

package examples_test

import (
	"encoding/json"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// events are the events of a program: "refreshed 4 local UPDATE".
func (p *process) events() []string {
	p.Helper()
	var out []string
	for text := range strings.Lines(p.Stdout.String()) {
		var e struct {
			Time             time.Time
			Event, Refresher string
			CallID           string `json:"call_id"`
			Interval         json.Number
			Method, Reason   string
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			p.Fatalf("%s: %v in %s", p.Cmd.Path, err, text)
		}
		if e.CallID == "" || time.Since(e.Time).Abs() > time.Minute {
			p.Errorf("%s: call_id or time is wrong in %s", p.Cmd.Path, text)
		}
		words := strings.Join([]string{e.Event, e.Interval.String(), e.Refresher, e.Method, e.Reason}, " ")
		out = append(out, strings.Join(strings.Fields(words), " "))
	}
	return out
}

func (p *process) wantEvents(want ...string) {
	p.Helper()
	if diff := cmp.Diff(want, p.events()); diff != "" {
		p.Errorf("events of %s (-want +got):\n%s", p.Cmd.Path, diff)
	}
}

// parallel is for tests that take seconds.
func parallel(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs in real time")
	}
	t.Parallel()
}

func TestCall(t *testing.T) {
	parallel(t)
	tests := []struct {
		name     string
		uas, uac string
		want     []string // of the caller
	}{
		{"udp", "", "", []string{"negotiated 4 local", "refreshed 4 local UPDATE", "refreshed 4 local UPDATE", "ended 4 local"}},
		{"tcp", "-transport tcp", "-transport tcp",
			[]string{"negotiated 4 local", "refreshed 4 local UPDATE", "refreshed 4 local UPDATE", "ended 4 local"}},
		{"re-INVITE by the callee", "-refresher local -method invite", "",
			[]string{"negotiated 4 peer", "refreshed 4 peer INVITE", "refreshed 4 peer INVITE", "ended 4 peer"}},
		{"callee without timers", "-mode off", "", []string{"negotiated 0 none", "ended 0 none"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			uas := start(t, "uas", append(strings.Fields(tt.uas), "-listen", "127.0.0.1:0", "-unsafe-intervals")...)
			uac := start(t, "uac", append(strings.Fields(tt.uac), "-to", "sip:bob@"+uas.address(),
				"-unsafe-intervals", "-session-expires", "4s", "-duration", "5s")...)
			uac.exits(0)
			uac.wantEvents(tt.want...)
			uas.stop()
			mirror := strings.NewReplacer("local", "peer", "peer", "local")
			var want []string
			for _, e := range tt.want {
				want = append(want, mirror.Replace(e))
			}
			if tt.uas == "-mode off" {
				want = nil
			}
			uas.wantEvents(want...)
		})
	}
}

// A process that is killed says no BYE.
func TestCalleeKilled(t *testing.T) {
	parallel(t)
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			uas := start(t, "uas", "-listen", "127.0.0.1:0", "-transport", transport, "-unsafe-intervals")
			uac := start(t, "uac", "-to", "sip:"+uas.address(), "-transport", transport, "-unsafe-intervals", "-session-expires", "4s")
			uac.reports("refreshed")
			uas.Signal(syscall.SIGKILL)
			uac.exits(0)
			events := uac.events()
			want := []string{"expired 4 local Session timer expired", "ended 4 local"}
			if diff := cmp.Diff(want, events[max(len(events)-2, 0):]); diff != "" {
				t.Errorf("last events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCallerKilled(t *testing.T) {
	parallel(t)
	uas := start(t, "uas", "-listen", "127.0.0.1:0", "-unsafe-intervals")
	uac := start(t, "uac", "-to", "sip:"+uas.address(), "-unsafe-intervals", "-session-expires", "4s")
	uac.says("the call is up")
	uac.Signal(syscall.SIGKILL)
	uas.reports("ended")
	uas.wantEvents("negotiated 4 peer", "expired 4 peer Session timer expired", "ended 4 peer")
	uas.stop()
}

func TestHangUp(t *testing.T) {
	parallel(t)
	tests := []struct {
		name     string
		uas, uac string // further flags
		end      func(uas, uac *process)
		over     bool // that ends the callee's program too
	}{
		{"callee after -duration", "-duration 1s", "", func(_, _ *process) {}, false},
		{"caller after -duration", "", "-duration 1s", func(_, _ *process) {}, false},
		{"SIGINT to the callee", "", "", func(uas, _ *process) { uas.Signal(syscall.SIGINT) }, true},
		{"SIGTERM to the callee", "", "", func(uas, _ *process) { uas.Signal(syscall.SIGTERM) }, true},
		{"SIGINT to the caller", "", "", func(_, uac *process) { uac.Signal(syscall.SIGINT) }, false},
		{"callee after -run-for", "-run-for 2s", "", func(_, _ *process) {}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			uas := start(t, "uas", append(strings.Fields(tt.uas), "-listen", "127.0.0.1:0")...)
			uac := start(t, "uac", append(strings.Fields(tt.uac), "-to", "sip:"+uas.address())...)
			uac.says("the call is up")
			tt.end(uas, uac)
			uac.exits(0)
			uac.wantEvents("negotiated 1800 local", "ended 1800 local")
			uas.reports("ended")
			if !tt.over {
				uas.Signal(syscall.SIGTERM)
			}
			uas.exits(0)
			uas.wantEvents("negotiated 1800 peer", "ended 1800 peer")
		})
	}
}

func TestAddresses(t *testing.T) {
	parallel(t)
	for _, listen := range []string{"0.0.0.0", "[::1]", "[::]"} {
		if l, err := net.Listen("tcp", listen+":0"); err != nil {
			t.Logf("%s: %v", listen, err)
			continue
		} else {
			_ = l.Close()
		}
		for _, transport := range []string{"udp", "tcp"} {
			t.Run(listen+" "+transport, func(t *testing.T) {
				t.Parallel()
				uas := start(t, "uas", "-listen", listen+":0", "-transport", transport, "-unsafe-intervals", "-refresher", "local")
				address := uas.address()
				port := address[strings.LastIndex(address, ":"):]
				target := "127.0.0.1"
				if listen == "[::1]" {
					target = listen
				}
				uac := start(t, "uac", "-listen", listen+":0", "-to", "sip:bob@"+target+port, "-transport", transport,
					"-unsafe-intervals", "-session-expires", "2s", "-duration", "1500ms")
				uac.exits(0)
				uac.wantEvents("negotiated 2 peer", "refreshed 2 peer UPDATE", "ended 2 peer")
			})
		}
	}
}

func TestDigest(t *testing.T) {
	parallel(t)
	uas := start(t, "uas", "-listen", "127.0.0.1:0", "-user", "bob", "-password", "secret")
	to := "sip:" + uas.address()
	tests := []struct {
		name, flags string
		status      int
	}{
		{"right", "-user bob -password secret -duration 1s", 0},
		{"wrong password", "-user bob -password public", 1},
		{"wrong user", "-user eve -password secret", 1},
		{"none", "", 1},
	}
	for _, tt := range tests {
		uac := start(t, "uac", append(strings.Fields(tt.flags), "-to", to)...)
		uac.exits(tt.status)
		refused := strings.HasSuffix(uac.Stderr.String(), "\nuac: "+to+" refused the call: 401 Unauthorized; -user and -password are wrong or missing\n")
		if refused != (tt.status == 1) {
			t.Errorf("%s: uac says\n%s", tt.name, uac.Stderr)
		}
	}
}

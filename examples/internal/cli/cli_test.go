package cli

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
)

func command() *Command {
	c := New("demo", "shows the flags.", "go run ./examples/demo", "127.0.0.1:5060")
	c.DurationFlag()
	c.RunForFlag()
	return c
}

// outcome is what a run left behind.
type outcome struct {
	status         int
	stdout, stderr string
}

func run(c *Command, body func(context.Context) error, args ...string) outcome {
	var stdout, stderr strings.Builder
	status := c.Run(context.Background(), args, &stdout, &stderr, body)
	return outcome{status, stdout.String(), stderr.String()}
}

func TestFlags(t *testing.T) {
	type got struct {
		Listen, Transport, User, Password string
		Duration, RunFor                  time.Duration
		Policy                            sessiontimer.Policy
	}
	want := func(change func(*got)) got {
		g := got{Listen: "127.0.0.1:5060", Transport: "udp", Policy: sessiontimer.DefaultPolicy()}
		change(&g)
		return g
	}
	tests := []struct {
		args string
		want got
	}{
		{"", want(func(*got) {})},
		{"-listen [::1]:5070 -transport tcp -user bob -password x", want(func(g *got) {
			g.Listen, g.Transport, g.User, g.Password = "[::1]:5070", "tcp", "bob", "x"
		})},
		{"-duration 90 -run-for 1h", want(func(g *got) { g.Duration, g.RunFor = 90*time.Second, time.Hour })},
		{"-session-expires 600 -min-se 2m -refresher peer -method invite -mode always", want(func(g *got) {
			g.Policy.SessionExpires, g.Policy.MinSE = 600*time.Second, 2*time.Minute
			g.Policy.Refresher, g.Policy.Method, g.Policy.Mode = sessiontimer.Peer, sessiontimer.MethodReInvite, sessiontimer.Always
		})},
		{"-unsafe-intervals -session-expires 4s", want(func(g *got) {
			g.Policy.SessionExpires, g.Policy.MinSE, g.Policy.Unsafe = 4*time.Second, time.Second, true
		})},
		{"-min-se 1h", want(func(g *got) { g.Policy.SessionExpires, g.Policy.MinSE = time.Hour, time.Hour })},
		{"-session-expires 48h", want(func(g *got) {
			g.Policy.SessionExpires, g.Policy.MaxInterval = 48*time.Hour, 48*time.Hour
		})},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			c := command()
			if err := c.parse(strings.Fields(tt.args)); err != nil {
				t.Fatal(err)
			}
			g := got{c.Listen, c.Transport, c.User, c.Password, c.Duration, c.RunFor, c.policy}
			if diff := cmp.Diff(tt.want, g); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadFlags(t *testing.T) {
	tests := []struct{ args, want string }{
		{"-nonsense", "flag provided but not defined: -nonsense"},
		{"-refresher me", `invalid value "me" for flag -refresher: want auto, local or peer`},
		{"-transport tls", `invalid value "tls" for flag -transport: want udp or tcp`},
		{"-duration soon", `invalid value "soon" for flag -duration: want a duration such as 90s or 30m`},
		{"-run-for -1s", `invalid value "-1s" for flag -run-for: want a duration such as 90s or 30m`},
		{"stray", `unexpected argument "stray"`},
		{"-user bob", "-user and -password go together"},
		{"-listen 5060", "-listen 5060: want HOST:PORT"},
		{"-session-expires 4s", "-session-expires 4s is less than the 90s of RFC 4028; -unsafe-intervals allows it in a lab"},
		{"-min-se 10", "-min-se 10s is less than the 90s of RFC 4028; -unsafe-intervals allows it in a lab"},
		{"-session-expires 100 -min-se 200", "-session-expires 100s is less than -min-se, which is 200s"},
		{"-session-expires 99.5s", "-session-expires 1m39.5s: want whole seconds"},
		{"-unsafe-intervals -session-expires 0", "-session-expires 0: want 1s or more"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			started := false
			got := run(command(), func(context.Context) error { started = true; return nil }, strings.Fields(tt.args)...)
			want := outcome{2, "", "demo: " + tt.want + " (demo -h lists the flags)\n"}
			if started || got != want {
				t.Errorf("%+v, started: %v\nwant %+v and no start", got, started, want)
			}
		})
	}
}

func TestRequired(t *testing.T) {
	var to string
	c := command()
	c.Required(&to, "to", "URI", "whom to call")
	got := run(c, func(context.Context) error { return nil })
	if got.status != 2 || !strings.HasPrefix(got.stderr, "demo: -to is missing ") {
		t.Errorf("without -to: %+v", got)
	}
	if usage := c.Usage(); strings.Index(usage, "-to URI") > strings.Index(usage, "-listen") {
		t.Errorf("-to should stand in front:\n%s", usage)
	}
}

func TestUsage(t *testing.T) {
	got := run(command(), nil, "-h")
	if got.status != 0 || got.stderr != "" {
		t.Fatalf("-h: %+v", got)
	}
	for _, want := range []string{"demo shows the flags.\n", "\n  go run ./examples/demo\n",
		"\n  -session-expires DUR        a call ends after this long without a refresh (default 30m)\n",
		"\n  -mode off|accept|offer|require|always\n                              timers: never, if asked, offered, required, even alone (default offer)\n"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is missing in\n%s", want, got.stdout)
		}
	}
	for line := range strings.Lines(got.stdout) {
		if len(strings.TrimRight(line, "\n")) > 100 {
			t.Errorf("longer than 100 columns: %s", line)
		}
	}
}

func TestExitStatus(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want outcome
	}{
		{"normal", nil, outcome{0, "", ""}},
		{"error", errors.New("nobody there"), outcome{1, "", "demo: nobody there\n"}},
		{"usage", &UsageError{"-to x: want a URI"}, outcome{2, "", "demo: -to x: want a URI (demo -h lists the flags)\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := run(command(), func(context.Context) error { return tt.err }); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestRunFor(t *testing.T) {
	got := run(command(), func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Second):
			return errors.New("still running")
		}
	}, "-run-for", "10ms")
	if got.status != 0 {
		t.Errorf("-run-for: %+v", got)
	}
}

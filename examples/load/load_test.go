package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/transcript"
)

// The second process of a split run is this test binary again.
func TestMain(m *testing.M) {
	sip.SetDefaultLogger(quiet)
	if isAnswerer() {
		os.Exit(answerForParent(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// inMemory runs f in virtual time, with sockets on a network in memory: what a run
// measures is then the same on a machine that is busy.
func inMemory(t *testing.T, f func(listen func() (net.PacketConn, error))) {
	t.Helper()
	bubble.Test(t, func(*testing.T) {
		n, sockets := sipnet.New(), 0
		n.StopRecording()
		f(func() (net.PacketConn, error) {
			sockets++
			return n.PacketConn(fmt.Sprintf("10.0.0.%d:5060", sockets)), nil
		})
		synctest.Wait()
		n.Close()
		synctest.Wait()
	})
}

// outcome is what a run printed and how it ended.
type outcome struct {
	status         int
	stdout, stderr string
}

// runReal runs the program as a user does.
func runReal(t *testing.T, args string) outcome {
	t.Helper()
	cmd, cfg := command()
	var stdout strings.Builder
	var stderr transcript.Text
	status := cmd.Run(t.Context(), strings.Fields(args), &stdout, &stderr, func(ctx context.Context) error { return run(ctx, cmd, cfg) })
	return outcome{status, stdout.String(), stderr.String()}
}

// runLoad runs it in virtual time.
func runLoad(t *testing.T, args string) outcome {
	t.Helper()
	return runOn(t, args, func(ctx context.Context, cmd *cli.Command, cfg *config) error { return run(ctx, cmd, cfg) })
}

func runOn(t *testing.T, args string, run func(context.Context, *cli.Command, *config) error) outcome {
	t.Helper()
	cmd, cfg := command()
	var stdout strings.Builder
	var stderr transcript.Text
	status := cmd.Run(t.Context(), strings.Fields(args), &stdout, &stderr, func(context.Context) (err error) {
		inMemory(t, func(listen func() (net.PacketConn, error)) {
			cfg.listen = listen
			err = run(context.Background(), cmd, cfg)
		})
		return err
	})
	return outcome{status, stdout.String(), stderr.String()}
}

// row is the number that begins a row of the table.
func (o outcome) row(t *testing.T, name string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` +([0-9,]+)`).FindStringSubmatch(o.stdout)
	if m == nil {
		t.Fatalf("no row %q in\n%s%s", name, o.stdout, o.stderr)
	}
	n, _ := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
	return n
}

// Each call is refreshed at each half, in every way that calls are made, and none
// is dropped.
func TestRuns(t *testing.T) {
	for _, c := range []struct {
		name, args       string
		calls, refreshes int
		kind             string
	}{
		{"calls of sipgo, and arrivals", "-calls 80 -burst 2s -session-expires 10s -hold 5s -arrivals 20", 180, 80, "calls of sipgo"},
		{"calls of sipgo, re-INVITE", "-calls 80 -burst 2s -session-expires 10s -hold 5s -method invite", 80, 80, "calls of sipgo"},
		{"stub dialogs", "-calls 10000 -rate 1000 -hold 2s -stub yes", 10000, 2000, "stub dialogs"},
		{"stub dialogs, re-INVITE", "-calls 2000 -rate 200 -hold 2s -stub yes -method invite", 2000, 400, "stub dialogs"},
		{"a burst, spread", "-calls 500 -burst 1s -session-expires 8s -hold 4s -stub yes -jitter 0.3", 500, 500, "stub dialogs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := runLoad(t, c.args)
			if o.status != 0 || o.row(t, "calls dropped") != 0 || o.row(t, "refreshes failed") != 0 {
				t.Errorf("status %d, dropped or failed:\n%s%s", o.status, o.stdout, o.stderr)
			}
			// One may be due just at the beginning, or the end.
			if got := o.row(t, "calls held"); got < c.calls || got > c.calls+1 || !strings.Contains(o.stdout, c.kind) {
				t.Errorf("%d calls held, want %d %s", got, c.calls, c.kind)
			}
			if got := o.row(t, "refreshes"); got < c.refreshes-1 || got > c.refreshes+1 {
				t.Errorf("%d refreshes, want %d", got, c.refreshes)
			}
		})
	}
}

// The program as a user runs it, on real sockets, in one process and in two. Nothing
// is due while it measures, so that it takes no more than it can.
func TestRunsOnLoopback(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"", " -split", " -split -stub yes"} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			o := runReal(t, "-calls 20 -rate 20 -session-expires 1h -hold 1s"+args)
			if o.status != 0 || o.row(t, "calls held") != 20 || o.row(t, "calls dropped") != 0 {
				t.Errorf("status %d:\n%s%s", o.status, o.stdout, o.stderr)
			}
		})
	}
}

// Calls whose other end is gone are dropped, and the program says so.
func TestDroppedCalls(t *testing.T) {
	o := runOn(t, "-calls 20 -rate 10 -hold 3s -stub yes", func(ctx context.Context, cmd *cli.Command, cfg *config) error {
		p, err := newPlan(cfg)
		if err != nil {
			return err
		}
		return measure(ctx, cmd, p, "10.0.0.99:5060")
	})
	if o.status != 1 || !strings.Contains(o.stderr, "calls were dropped") {
		t.Errorf("status %d, want 1 and the reason:\n%s%s", o.status, o.stdout, o.stderr)
	}
}

func TestFiles(t *testing.T) {
	data, plot := filepath.Join(t.TempDir(), "data.csv"), filepath.Join(t.TempDir(), "plot.svg")
	if o := runLoad(t, "-calls 100 -rate 10 -hold 1s -stub yes -data "+data+" -plot "+plot); o.status != 0 {
		t.Fatalf("status %d: %s", o.status, o.stderr)
	}
	text, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(string(text)), "\n"); len(lines) < 3 || !strings.HasPrefix(lines[0], "second,calls,refreshes,p50_ms") {
		t.Errorf("data:\n%s", text)
	}
	f, err := os.Open(plot)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for d := xml.NewDecoder(f); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("plot: %v", err)
		}
	}
}

func TestPlan(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		cfg       config
		available int64
		interval  time.Duration
		stubbed   bool
	}{
		{config{calls: 10_000, rate: 2000, stub: "auto"}, 8 * gib, 10 * time.Second, false},
		{config{calls: 1_000_000, rate: 1100, stub: "auto"}, 22 * gib, 1819 * time.Second, true},
		{config{calls: 1_000_000, rate: 1100, stub: "auto"}, 64 * gib, 1819 * time.Second, false},
		{config{calls: 1_000_000, rate: 1100, stub: "auto"}, 0, 1819 * time.Second, true},
		{config{calls: 10, rate: 1000, stub: "yes"}, 8 * gib, 4 * time.Second, true},
		{config{calls: 1_000_000, rate: 1100, expires: time.Hour, stub: "no"}, gib, time.Hour, false},
	} {
		c.cfg.hold, c.cfg.limit = time.Second, 5000
		p, err := newPlan(&c.cfg)
		if err != nil || p.interval != c.interval {
			t.Errorf("%+v: interval %v, want %v (%v)", c.cfg, p.interval, c.interval, err)
		}
		if got, why := stubbed(&c.cfg, c.available); got != c.stubbed {
			t.Errorf("%+v with %d free: stub dialogs %v (%s), want %v", c.cfg, c.available, got, why, c.stubbed)
		}
	}
}

func TestLateness(t *testing.T) {
	l := newLateness(3)
	update := func(id string) []byte { return []byte("UPDATE sip:b SIP/2.0\r\nVia: x\r\nCall-ID: " + id + "\r\n\r\n") }
	l.expect(1, time.Now().Add(-50*time.Millisecond))
	l.expect(2, time.Now().Add(time.Hour))
	l.expect(7, time.Now())
	for _, data := range [][]byte{update("load-1"), update("load-1"), update("load-2"), update("load-0"), update("load-7"), update("other"),
		[]byte("BYE sip:b SIP/2.0\r\nCall-ID: load-1\r\n\r\n"), nil} {
		l.sent(data)
	}
	got := l.sample()
	if len(got) != 2 || got[0] > -59*time.Minute || got[1] < 50*time.Millisecond {
		t.Errorf("lateness %v, want an hour early and 50 ms late", got)
	}
	if sent, unanswered := l.all(); len(l.sample()) != 0 || len(sent) != 2 || unanswered != 2 {
		t.Error("a sample should hold what is new, all should hold everything")
	}
	l.expect(1, time.Now())
	l.begin()
	if sent, unanswered := l.all(); len(sent) != 0 || unanswered != 1 {
		t.Error("begin should forget all but what waits for an answer")
	}
	l.forget(2)
	l.sent(update("load-1"))
	if sent, unanswered := l.all(); len(sent) != 1 || unanswered != 1 {
		t.Errorf("%d sent, %d unanswered at most, want 1 each", len(sent), unanswered)
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) is %s, want %s", n, got, want)
		}
	}
	sorted := []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	if a, b, c := percentile(sorted, 50), percentile(sorted, 99), percentile(nil, 50); a != 6 || b != 11 || c != 0 {
		t.Errorf("percentiles %d, %d, %d, want 6, 11, 0", a, b, c)
	}
}

package main

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// socket is one that nobody reads.
func socket(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// loadOn is a load as the flags say that calls conn.
func loadOn(t *testing.T, ctx context.Context, conn net.PacketConn, change func(*config)) *load {
	t.Helper()
	cmd, cfg := command()
	change(cfg)
	var started *load
	status := cmd.Run(ctx, nil, &strings.Builder{}, &log{}, func(context.Context) error {
		p, err := newPlan(cfg)
		if err == nil {
			started, err = newLoad(ctx, cmd, p, conn.LocalAddr().String())
		}
		return err
	})
	if status != 0 {
		t.Fatal("no load")
	}
	return started
}

// calling tells whether any call is being set up.
func calling() bool {
	stacks := make([]byte, 16<<20)
	text := string(stacks[:runtime.Stack(stacks, true)])
	return strings.Contains(text, "(*load).call(") || strings.Contains(text, "(*load).callAtRate(")
}

// Calls that nobody answers end with the run, whether they are set up at first or
// arrive later, and also if all places are taken.
func TestGivenUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*config)
		do     func(*load, context.Context) error
	}{
		{"set up", func(c *config) { c.calls, c.rate, c.stub = 2*mostAtOnce, 20*mostAtOnce, "no" },
			func(l *load, ctx context.Context) error { return l.setUp(ctx) }},
		{"arrivals", func(c *config) { c.arrivals, c.hold, c.stub = 20*mostAtOnce, time.Minute, "yes" },
			func(l *load, ctx context.Context) error { return l.hold(ctx, &report{}) }},
		{"stub dialogs", func(c *config) { c.calls, c.stub = 50_000, "yes" },
			func(l *load, ctx context.Context) error { return l.setUp(ctx) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			l := loadOn(t, ctx, socket(t), c.change)
			begun := time.Now()
			if err := c.do(l, ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want the error of the context", err)
			}
			l.close()
			if took := time.Since(begun); took > 10*time.Second || calling() {
				t.Errorf("after %v calls are being set up: %v", took, calling())
			}
			if l.lost.Load() != 0 {
				t.Errorf("%d calls count as lost, but were given up", l.lost.Load())
			}
		})
	}
}

// Closing a load ends its calls too.
func TestClose(t *testing.T) {
	l := loadOn(t, t.Context(), socket(t), func(c *config) { c.stub = "no" })
	if err := l.callAtRate(t.Context(), 1000, 10); err != nil {
		t.Fatal(err)
	}
	l.close()
	if calling() {
		t.Error("calls outlive close")
	}
}

// A call that is not answered yet when the measured time ends counts as held once
// it is, and no other begins meanwhile.
func TestAnsweredLate(t *testing.T) {
	conn := socket(t)
	l := loadOn(t, t.Context(), conn, func(c *config) {
		c.hold, c.arrivals, c.stub, c.expires = 500*time.Millisecond, 20, "yes", time.Hour
	})
	defer l.close()
	time.AfterFunc(time.Second, func() { answerStubs(conn) })
	var r report
	if err := l.hold(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	if begun := int(l.begun.Load()); r.held != begun || begun < 5 || begun > 11 {
		t.Errorf("%d calls held of %d begun, want 10", r.held, begun)
	}
	if r.spent.time > time.Second {
		t.Errorf("measured for %v, want half a second", r.spent.time)
	}
}

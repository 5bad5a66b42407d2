package main

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
)

// givenUp is when the context of a load ends.
const givenUp = 2 * time.Second

// loadOn has f use a load, as change and the flags say, that calls a socket which
// nobody reads, until it is given up. What f leaves behind fails the test.
func loadOn(t *testing.T, change func(*config), f func(ctx context.Context, l *load, conn net.PacketConn)) {
	t.Helper()
	o := runOn(t, "", func(ctx context.Context, cmd *cli.Command, cfg *config) error {
		ctx, cancel := context.WithTimeout(ctx, givenUp)
		defer cancel()
		change(cfg)
		conn, err := cfg.listen()
		if err != nil {
			return err
		}
		p, err := newPlan(cfg)
		if err != nil {
			return err
		}
		l, err := newLoad(ctx, cmd, p, conn.LocalAddr().String())
		if err == nil {
			f(ctx, l, conn)
		}
		return err
	})
	if o.status != 0 {
		t.Fatalf("no load: %s", o.stderr)
	}
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
		{"stub dialogs", func(c *config) { c.calls, c.stub = 400_000, "yes" },
			func(l *load, ctx context.Context) error { return l.setUp(ctx) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			loadOn(t, c.change, func(ctx context.Context, l *load, _ net.PacketConn) {
				begun := time.Now()
				if err := c.do(l, ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v, want the error of the context", err)
				}
				l.close()
				if took := time.Since(begun); took != givenUp {
					t.Errorf("the calls are given up after %v, want it after %v with the context", took, givenUp)
				}
				if l.lost.Load() != 0 {
					t.Errorf("%d calls count as lost, but were given up", l.lost.Load())
				}
			})
		})
	}
}

// Closing a load ends its calls too.
func TestClose(t *testing.T) {
	loadOn(t, func(c *config) { c.stub = "no" }, func(ctx context.Context, l *load, _ net.PacketConn) {
		if err := l.callAtRate(ctx, 1000, 10); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		l.close()
		if took := time.Since(begun); took > time.Second {
			t.Errorf("close took %v, want it not to wait for answers", took)
		}
	})
}

// A call that is not answered yet when the measured time ends counts as held once
// it is, and no other begins meanwhile.
func TestAnsweredLate(t *testing.T) {
	late := func(c *config) {
		c.hold, c.arrivals, c.stub, c.expires = 500*time.Millisecond, 20, "yes", time.Hour
	}
	loadOn(t, late, func(ctx context.Context, l *load, conn net.PacketConn) {
		defer l.close()
		time.AfterFunc(time.Second, func() { answerStubs(conn) })
		var r report
		if err := l.hold(ctx, &r); err != nil {
			t.Fatal(err)
		}
		if begun := int(l.begun.Load()); r.held != begun || begun < 10 || begun > 11 {
			t.Errorf("%d calls held of %d begun, want 10, or 11 with one at the last moment", r.held, begun)
		}
		if r.spent.time != 500*time.Millisecond {
			t.Errorf("measured for %v, want half a second", r.spent.time)
		}
	})
}

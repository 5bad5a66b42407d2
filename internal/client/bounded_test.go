package client

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// sipgo waits for the network before it sends over a stream, or to a name.
func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		name, uri, transport, route, pinned string
		want                                bool
	}{
		{"an address", "sip:peer@10.0.0.9", "UDP", "", "", false},
		{"IPv6", "sip:peer@[2001:db8::9]", "UDP", "", "", false},
		{"a name", "sip:peer@example.com", "UDP", "", "", true},
		{"a stream", "sip:peer@10.0.0.9", "TCP", "", "", true},
		{"a route by name", "sip:peer@10.0.0.9", "UDP", "<sip:example.com;lr>", "", true},
		{"a route by address", "sip:peer@example.com", "UDP", "<sip:10.0.0.7;lr>", "", false},
		{"an address in its place", "sip:peer@example.com", "UDP", "<sip:example.com;lr>", "10.0.0.7:5060", false},
		{"a name in its place", "sip:peer@10.0.0.9", "UDP", "", "example.com:5060", true},
	} {
		req := sip.NewRequest(sip.BYE, uri(t, c.uri))
		req.SetTransport(c.transport)
		if c.route != "" {
			req.AppendHeader(&sip.RouteHeader{Address: uri(t, c.route[1:len(c.route)-1])})
		}
		if c.pinned != "" {
			req.SetDestination(c.pinned)
		}
		if got := blocks(req); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

// A dial that somebody else called off says nothing of our own context, which lives.
func TestNotOurs(t *testing.T) {
	live, cancel := context.WithCancel(context.Background())
	defer cancel()
	over, end := context.WithCancel(context.Background())
	end()
	called := fmt.Errorf("dial: %w", context.Canceled)
	for _, c := range []struct {
		ctx    context.Context
		err    error
		hidden bool
	}{
		{live, called, true}, {over, called, false}, {live, context.DeadlineExceeded, false}, {live, nil, false},
	} {
		got := notOurs(c.ctx, c.err)
		if hidden := !errors.Is(got, c.err); hidden != c.hidden || (got == nil) != (c.err == nil) {
			t.Errorf("%v with a context that has %v becomes %v; hidden: %t, want %t", c.err, c.ctx.Err(), got, hidden, c.hidden)
		}
	}
}

// A step whose context has ended is not begun; one that takes longer is left to itself.
func TestWithin(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var c Client
		failed := errors.New("of the test")
		if err := c.within(context.Background(), func() error { return failed }); !errors.Is(err, failed) {
			t.Errorf("in time: %v, want the error of the step", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		over := make(chan struct{})
		if err := c.within(ctx, func() error { <-over; return failed }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("too long: %v, want the end of the context", err)
		}
		if left := c.Steps.WaitFor(0); left != 1 {
			t.Errorf("%d steps go on, want one", left)
		}
		close(over)
		begun := false
		if err := c.within(ctx, func() error { begun = true; return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("too late: %v, want the end of the context", err)
		}
		if synctest.Wait(); begun {
			t.Error("a step was begun after the end of its context")
		}
	})
}

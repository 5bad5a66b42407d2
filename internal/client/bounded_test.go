package client

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/emiago/sipgo/sip"
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

package calls

import (
	"context"
	"testing"
)

// The socket of the latest call counts, unless that is not known. Nothing is allocated for
// one that is the same.
func TestSocket(t *testing.T) {
	c := New(context.Background(), Config{})
	if got := c.Socket(); got != "" {
		t.Errorf("before any call it is %q", got)
	}
	for _, s := range []struct{ at, want string }{
		{"", ""}, {"192.0.2.1:5060", "192.0.2.1:5060"}, {"", "192.0.2.1:5060"}, {"192.0.2.2:5060", "192.0.2.2:5060"},
	} {
		c.CameInAt(s.at)
		if got := c.Socket(); got != s.want {
			t.Errorf("after a call at %q it is %q, want %q", s.at, got, s.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { c.CameInAt("192.0.2.2:5060") }); n != 0 {
		t.Errorf("another call there allocates %v times", n)
	}
}

// What must be finished once it has begun goes on when its context ends, and keeps its values.
func TestDetached(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, 7))
	cancel()
	if d := Detached(ctx); d.Err() != nil || d.Value(key{}) != 7 {
		t.Errorf("detached from a context that has ended: %v with the value %v, want none and 7", d.Err(), d.Value(key{}))
	}
	if free := context.WithValue(context.Background(), key{}, 7); Detached(free) != free {
		t.Error("one that never ends is wrapped")
	}
}

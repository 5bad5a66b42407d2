package calls

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Whose dialog the application has: it never had one of a call that comes from another
// node, unless it has restored it; it still has one of a call that began here and comes
// back before it was let go.
func TestOrphans(t *testing.T) {
	ctx, id := context.Background(), dialogstore.ID{CallID: "c", LocalTag: "l", RemoteTag: "r"}
	for _, c := range []struct {
		name                   string
		here, earlier, restore bool // the call is in the store; was taken over before; is restored
		orphan                 bool
	}{
		{"from another node", false, false, false, true},
		{"restored", false, false, true, false},
		{"began here", true, false, false, false},
		{"taken over before", true, true, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := New(ctx, Config{Policy: sessiontimer.DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
			calls.Store = dialogstore.Observe(dialogstore.NewMemory(), calls.Observer())
			if c.earlier {
				calls.Expect(id, "before", false)
			}
			if c.here {
				if err := calls.Store.Create(ctx, dialogstore.Dialog{Origin: dialogstore.Origin{ID: id}}); err != nil {
					t.Fatal(err)
				}
			}
			was, _ := calls.TakenOver(id)
			forget := calls.Expect(id, "a", c.restore)
			if from, _ := calls.TakenOver(id); calls.Orphan(id) != c.orphan || from != "a" {
				t.Errorf("orphan: %v from %q, want %v", calls.Orphan(id), from, c.orphan)
			}
			forget()
			if from, _ := calls.TakenOver(id); from != was || calls.Orphan(id) != c.earlier {
				t.Errorf("forgotten, but it is from %q, orphan: %v", from, calls.Orphan(id))
			}
		})
	}
}

// Of a call that was let go, or has ended, nothing stays known.
func TestAdoptedIsForgotten(t *testing.T) {
	ctx := context.Background()
	one, other := dialogstore.ID{CallID: "c", LocalTag: "l", RemoteTag: "r"}, dialogstore.ID{CallID: "other"}
	for name, over := range map[string]func(*Calls) error{
		"let go": func(c *Calls) error { c.Release(one); return nil },
		"ended":  func(c *Calls) error { _, err := c.Store.Delete(ctx, one); return err },
	} {
		calls := New(ctx, Config{Policy: sessiontimer.DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
		calls.Store = dialogstore.Observe(dialogstore.NewMemory(), calls.Observer())
		for _, id := range []dialogstore.ID{one, other} {
			calls.Expect(id, "a", false)
			if err := calls.Store.Create(ctx, dialogstore.Dialog{Origin: dialogstore.Origin{ID: id}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := over(calls); err != nil {
			t.Fatal(err)
		}
		from, unreachable := calls.TakenOver(one)
		if calls.Orphan(one) || from != "" || unreachable || len(calls.adopted.all) != 1 {
			t.Errorf("%s: an orphan: %v, from %q, of %d calls; want nothing known of it", name, calls.Orphan(one), from, len(calls.adopted.all))
		}
		if from, _ := calls.TakenOver(other); !calls.Orphan(other) || from != "a" {
			t.Errorf("%s: the other call is from %q, an orphan: %v", name, from, calls.Orphan(other))
		}
	}
}

// A peer is asked once whether a session is still in force, and only while that is the one
// that was taken over and it is the peer who refreshes. That it is unreachable is told once.
func TestAdoptedOnce(t *testing.T) {
	id := dialogstore.ID{CallID: "c", LocalTag: "l", RemoteTag: "r"}
	taken := sessiontimer.Session{Interval: time.Hour, Refresher: sessiontimer.Peer, Since: time.Unix(1, 0)}
	ours, later := taken, taken
	ours.Refresher, later.Since = sessiontimer.Local, time.Unix(2, 0)
	calls := New(context.Background(), Config{Policy: sessiontimer.DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
	calls.Store = dialogstore.Observe(dialogstore.NewMemory(), calls.Observer())
	if doubtful, first := calls.Doubtful(id, taken); doubtful || first || calls.Unreachable(id) {
		t.Error("a call that was not taken over is in doubt, or unreachable")
	}
	calls.Expect(id, "a", false)
	d := dialogstore.Dialog{Origin: dialogstore.Origin{ID: id}, State: dialogstore.State{Session: taken}}
	calls.Adopt(&d, false)
	if doubtful, _ := calls.Doubtful(id, taken); doubtful {
		t.Error("a session that the former owner could write is in doubt")
	}
	d.Session = ours
	calls.Adopt(&d, true)
	if doubtful, _ := calls.Doubtful(id, ours); doubtful {
		t.Error("a session that we refresh is in doubt")
	}
	d.Session = taken
	calls.Adopt(&d, true)
	for _, c := range []struct {
		s               sessiontimer.Session
		doubtful, first bool
	}{{ours, false, false}, {later, false, false}, {taken, true, true}, {taken, true, false}, {later, false, false}} {
		if doubtful, first := calls.Doubtful(id, c.s); doubtful != c.doubtful || first != c.first {
			t.Errorf("%+v: doubtful %t, for the first time %t; want %t, %t", c.s, doubtful, first, c.doubtful, c.first)
		}
	}
	if first, again := calls.Unreachable(id), calls.Unreachable(id); !first || again {
		t.Errorf("that it is unreachable is told: %t, and again: %t", first, again)
	}
	if _, unreachable := calls.TakenOver(id); !unreachable {
		t.Error("it does not stay known")
	}
}

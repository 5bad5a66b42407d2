package failover_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

var (
	alice = failover.Node{Name: "alice", Run: "1"}
	bob   = failover.Node{Name: "bob", Run: "1"}
)

// state is what alice puts of a call with an interval of half an hour.
func state(version uint64) failover.Entry {
	return failover.Entry{Epoch: 1, Dialog: dialogstore.Dialog{
		Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: "call", LocalTag: "l", RemoteTag: "r"}},
		State:  dialogstore.State{Version: version, Session: sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local}},
	}}
}

func put(t *testing.T, m *failover.Memory, e failover.Entry) {
	t.Helper()
	if errs, err := m.Put(t.Context(), alice, []failover.Entry{e}); err != nil || errs[0] != nil {
		t.Fatalf("Put = %v, %v, want no error", errs, err)
	}
}

func claim(t *testing.T, m *failover.Memory) failover.Claimed {
	t.Helper()
	e := state(1)
	claimed, err := m.Claim(t.Context(), bob, alice, []failover.Key{e.Key()})
	if err != nil || claimed[0].Err != nil {
		t.Fatalf("Claim = %v, %v, want no error", claimed, err)
	}
	return claimed[0]
}

func beat(t *testing.T, m *failover.Memory, me failover.Node) failover.Pulse {
	t.Helper()
	p, err := m.Beat(t.Context(), me)
	if err != nil {
		t.Fatalf("Beat = %v, want no error", err)
	}
	return p
}

// Restoring a snapshot undoes all later writes. It can be restored again.
func TestMemorySnapshot(t *testing.T) {
	m := failover.NewMemory()
	before := beat(t, m, alice)
	put(t, m, state(1))
	restore := m.Snapshot()
	for range 2 {
		put(t, m, state(2))
		if got := claim(t, m); got.Epoch != 2 || got.Dialog.Version != 2 {
			t.Errorf("Claim = epoch %d, version %d, want 2 and 2", got.Epoch, got.Dialog.Version)
		}
		beat(t, m, bob)
		restore()
		owners, err := m.Owner(t.Context(), []dialogstore.ID{state(1).Dialog.ID})
		if want := (failover.Ownership{Owner: alice, Epoch: 1}); err != nil || owners[0] != want {
			t.Errorf("after the restore Owner = %v, %v, want %v", owners, err, want)
		}
	}
	if got := claim(t, m).Dialog.Version; got != 1 {
		t.Errorf("after the restore the call has version %d, want 1", got)
	}
	restore()
	after := beat(t, m, alice)
	before.Nodes[0].Count++
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the beat after the restore does not continue from the snapshot (-want +got):\n%s", diff)
	}
}

// Nothing stays for ever. Len counts what is left.
func TestMemoryForgetsAll(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := failover.NewMemory()
		beat(t, m, alice)
		beat(t, m, bob)
		put(t, m, state(1))
		if m.Len() != 3 {
			t.Errorf("with two nodes and a call Len = %d, want 3", m.Len())
		}
		time.Sleep(30*time.Minute + failover.KeepExpired)
		if m.Len() != 2 {
			t.Errorf("an hour after the expiry of alice's call Len = %d, want 2: alice and the call", m.Len())
		}
		time.Sleep(time.Nanosecond)
		if m.Len() != 0 {
			t.Errorf("more than an hour after the expiry Len = %d, want 0", m.Len())
		}
		e := state(1)
		if _, err := m.Drop(t.Context(), alice, []failover.Key{e.Key()}); err != nil || m.Len() != 1 {
			t.Errorf("Drop of a call that is gone = %v, then Len = %d, want no error and 1", err, m.Len())
		}
		m.Advance(failover.KeepDropped + time.Nanosecond)
		if m.Len() != 0 {
			t.Errorf("once the Drop is forgotten Len = %d, want 0", m.Len())
		}
	})
}

// A Beat removes what has expired: applications do not call Len.
func TestMemoryBeatForgets(t *testing.T) {
	m := failover.NewMemory()
	beat(t, m, alice)
	m.Advance(2 * failover.KeepSilent)
	if got := beat(t, m, bob).Nodes; len(got) != 1 || got[0].Node != bob {
		t.Errorf("two hours after alice's last beat the nodes are %v, want bob alone", got)
	}
}

// A node that was silent for an hour is known still, and forgotten after that.
func TestMemoryKeepsSilent(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := failover.NewMemory()
		beat(t, m, alice)
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{failover.KeepSilent, 1}, {time.Nanosecond, 0}} {
			if m.Advance(c.after); m.Len() != c.want {
				t.Errorf("%v later Len = %d, want %d", c.after, m.Len(), c.want)
			}
		}
	})
}

// A method whose context has ended does nothing.
func TestMemoryEnded(t *testing.T) {
	m := failover.NewMemory()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Leave(ctx, alice); err != context.Canceled || m.Len() != 0 {
		t.Errorf("Leave with an ended context = %v, then Len = %d, want %v and 0", err, m.Len(), context.Canceled)
	}
}

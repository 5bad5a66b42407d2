package calls

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// A dialog is found in flight, and otherwise in the store, even by a caller whose context is
// done: its request needs a CSeq.
func TestFind(t *testing.T) {
	done, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name        string
		inFlight    string // remote tag of a dialog of the set; empty for no set
		stored      bool
		set, dialog bool // what is found
		lastCSeq    uint32
	}{
		{name: "in flight", inFlight: "theirs", set: true, dialog: true, lastCSeq: 7},
		{name: "in flight and stored", inFlight: "theirs", stored: true, set: true, dialog: true, lastCSeq: 7},
		{name: "stored", stored: true, set: true, dialog: true, lastCSeq: 40},
		{name: "stored beside another one", inFlight: "others", stored: true, set: true, dialog: true, lastCSeq: 40},
		{name: "only another one", inFlight: "others", set: true},
		{name: "nowhere"},
	} {
		calls, _ := observed(context.Background(), Config{})
		d := ofPeer()
		d.LocalCSeq = 40
		var set *dialogset.Set
		if c.inFlight != "" {
			set = calls.Sets.Open(d.CallID, d.LocalTag)
			set.Ring(c.inFlight, 7, dialogset.Told{})
		}
		if c.stored {
			keep(t, calls, d)
		}
		got, dialog := calls.SetOf(done, d.ID), calls.DialogOf(done, d.ID)
		if (got != nil) != c.set || (dialog != nil) != c.dialog || c.inFlight != "" && got != set {
			t.Errorf("%s: the set %p, a dialog: %t; want one: %t, as it is: %p, and a dialog: %t", c.name, got, dialog != nil, c.set, set, c.dialog)
		}
		if dialog != nil && dialog != got.Dialog("theirs") {
			t.Errorf("%s: it is not the dialog of the set", c.name)
		}
		if dialog != nil && dialog.Count.LastCSeq() != c.lastCSeq {
			t.Errorf("%s: its last CSeq is %d, want %d", c.name, dialog.Count.LastCSeq(), c.lastCSeq)
		}
	}
}

// Whoever awaits a commit goes on with it, but waits no longer than 64*T1 for a stream that
// is stuck, and not beyond the timers' end.
func TestAwaitCommit(t *testing.T) {
	const never = time.Hour
	for _, c := range []struct {
		name              string
		committed, closed time.Duration
		want              time.Duration
	}{
		{"nothing to wait for", 0, never, 0},
		{"committed", time.Second, never, time.Second},
		{"stuck", never, never, 64 * sip.T1},
		{"closed", never, 2 * time.Second, 2 * time.Second},
	} {
		bubble.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			calls, _ := observed(ctx, Config{})
			d := calls.Sets.Open("call", "ours").Ring("theirs", 1, dialogset.Told{})
			if c.committed > 0 {
				d.HandOver()
				time.AfterFunc(c.committed, d.HandedOver)
			}
			time.AfterFunc(c.closed, cancel)
			begun := time.Now()
			calls.AwaitCommit(nil)
			calls.AwaitCommit(d)
			if waited := time.Since(begun); waited != c.want {
				t.Errorf("%s: it waits %v, want %v", c.name, waited, c.want)
			}
			calls.Sets.Close()
			synctest.Wait()
		})
	}
}

package failover_test

import (
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

var _ failover.Reader = failover.NewMemory()

// Reading changes nothing, and tells what a claim would bring.
func TestMemoryRead(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m, a := failover.NewMemory(), failover.Node{Name: "a", Run: "1"}
		d := dialogstore.Dialog{
			Origin: dialogstore.Origin{ID: dialogstore.ID{CallID: "one"}},
			State:  dialogstore.State{Version: 7, Session: sessiontimer.Session{Interval: 90 * time.Second, Refresher: sessiontimer.Local}},
		}
		ended := dialogstore.ID{CallID: "ended"}
		if _, err := m.Put(t.Context(), a, []failover.Entry{{Epoch: 3, Dialog: d, Age: time.Second}}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Drop(t.Context(), a, []failover.Key{{ID: ended, Epoch: 1}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		got, err := m.Read(t.Context(), []dialogstore.ID{ended, d.ID, {CallID: "unknown"}})
		if err != nil || len(got) != 3 {
			t.Fatalf("read %+v, %v; want three entries", got, err)
		}
		if got[1].Epoch != 3 || got[1].Dialog.Version != 7 || got[1].Age != 5*time.Second {
			t.Errorf("read %+v; want epoch 3, version 7, an age of 5 s", got[1])
		}
		if got[0].Epoch != 0 || got[2].Epoch != 0 {
			t.Errorf("a call that has ended and one that is unknown have epochs %d and %d", got[0].Epoch, got[2].Epoch)
		}
		owners, err := m.Owner(t.Context(), []dialogstore.ID{d.ID})
		if want := (failover.Ownership{Owner: a, Epoch: 3}); err != nil || owners[0] != want {
			t.Errorf("owned as %+v by now (%v); want %+v", owners, err, want)
		}
	})
}

package ownership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// Calls that cannot be read are not claimed by a node that may serve only some.
func TestEligibleCannotRead(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		n.cfg.Settings.Eligible = func(dialogstore.Dialog) bool { return true }
		n.cfg.Registry = answering{Registry: n.way, read: func([]dialogstore.ID) ([]failover.Entry, error) { return nil, errDown }}
		c := &claimer{Node: n.Node}
		keys := []failover.Key{{ID: call("one").ID, Epoch: 1}}
		if got, err := c.eligible(&estate{}, keys); !errors.Is(err, errDown) || len(got) != 0 {
			t.Errorf("eligible: %v, %v; want the error of the registry", got, err)
		}
		if got, err := c.eligible(&estate{gone: gone{how: Earlier}}, keys); err != nil || !slices.Equal(got, keys) {
			t.Errorf("of an earlier run: %v, %v; want all, unread", got, err)
		}
		b := failover.Node{Name: "b"}
		if _, err := l.registry.Put(context.Background(), b, []failover.Entry{{Epoch: 1, Dialog: call("one")}}); err != nil {
			t.Fatal(err)
		}
		n.good()
		if many, _, err := c.claimPage(&estate{gone: gone{Node: b, how: Left}, page: pageSize}, &view{}); many != 0 || !errors.Is(err, errDown) || len(n.way.requests("Claim")) != 0 {
			t.Errorf("%d calls, %v, claimed %d times; want the error of the registry", many, err, len(n.way.requests("Claim")))
		}
	})
}

// A node claims those calls that it may serve, in their order, as they are in the epoch that was
// listed. An application that panics over a call does not get it.
func TestEligible(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		c := &claimer{Node: n.Node}
		keys := make([]failover.Key, 2*claimBatch+50)
		for i := range keys {
			keys[i] = failover.Key{ID: call(fmt.Sprint(i)).ID, Epoch: 7}
		}
		var read []int
		n.cfg.Registry = answering{Registry: n.way, read: func(ids []dialogstore.ID) (all []failover.Entry, err error) {
			read = append(read, len(ids))
			for _, id := range ids {
				e := failover.Entry{Epoch: 7, Dialog: dialogstore.Dialog{Origin: dialogstore.Origin{ID: id}}}
				if id.CallID == "3" {
					e.Epoch = 8 // claimed meanwhile
				}
				all = append(all, e)
			}
			return all, nil
		}}
		if got, err := c.eligible(&estate{}, keys); err != nil || !slices.Equal(got, keys) || read != nil {
			t.Errorf("a node that may serve all: %d of them, %v, read %v", len(got), err, read)
		}
		n.cfg.Settings.Eligible = func(d dialogstore.Dialog) bool {
			if d.CallID == "2" {
				panic("of the test")
			}
			return d.CallID < "5"
		}
		got, err := c.eligible(&estate{}, keys)
		var want []failover.Key
		for _, k := range keys {
			if k.CallID < "5" && k.CallID != "2" && k.CallID != "3" {
				want = append(want, k)
			}
		}
		if err != nil || !slices.Equal(got, want) || !slices.Equal(read, []int{claimBatch, claimBatch, 50}) {
			t.Errorf("%d calls, %v, read %v; want %d in batches", len(got), err, read, len(want))
		}
		if line := "call_id=2 local_tag=l remote_tag=r panic="; n.logs.Count(line) != 1 {
			t.Errorf("logged %s; want %s", n.logs.String(), line)
		}
	})
}

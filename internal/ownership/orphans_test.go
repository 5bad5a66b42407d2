package ownership

import (
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// An orphan is neither in memory nor a call that has ended here: that one is the
// registry's only until it is dropped there, and would come back to life.
func TestUnknown(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		live, ended, orphan := call("live"), call("ended"), call("orphan")
		n.create(live)
		n.Node.mu.Lock()
		n.marks.put(ended.ID, false)
		n.marks.drop(ended.ID, 1)
		n.Node.mu.Unlock()
		var held []failover.Held
		for _, d := range []dialogstore.Dialog{live, ended, orphan} {
			held = append(held, failover.Held{Key: failover.Key{ID: d.ID, Epoch: 1}})
		}
		got := n.unknown(held)
		if !got[held[2].Key] || len(got) != 1 {
			t.Errorf("unknown: %v, want the orphan alone", got)
		}
	})
}

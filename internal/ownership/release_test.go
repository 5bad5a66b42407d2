package ownership

import (
	"testing"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
)

// A call that has ended meanwhile is not written, and one that is being adopted is not
// released before the next write says so.
func TestContentsAndRelease(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		ids, none := n.calls(1), call("none").ID
		entries, keys := n.contents([]marked{{id: none}, {id: ids[0]}, {none, mark{drop: 3}}})
		if len(entries) != 1 || entries[0].Dialog.ID != ids[0] || len(keys) != 1 || keys[0] != (failover.Key{ID: none, Epoch: 3}) {
			t.Errorf("to be written: %v and %v", entries, keys)
		}
		n.marks = newMarks()
		to := failover.Ownership{Owner: failover.Node{Name: "b"}, Epoch: 2}
		done := n.turns.wait(ids[0])
		n.release(n.Key(ids[0]), to, ByRegistry)
		if _, again := n.marks.all[ids[0]]; !again || len(n.letGo()) != 0 {
			t.Errorf("amid an adoption: written again: %v, released: %v", again, n.letGo())
		}
		done()
		n.release(failover.Key{ID: ids[0], Epoch: 2}, to, ByRegistry)
		n.release(failover.Key{ID: none, Epoch: 1}, to, ByRegistry)
		if len(n.letGo()) != 0 || n.Stats().Fenced != [fences]uint64{} {
			t.Errorf("of another epoch, and of no call: released %v", n.letGo())
		}
		n.release(n.Key(ids[0]), to, ByPeer)
		if got := n.letGo(); len(got) != 1 || got[0].Fence != ByPeer || got[0].To != to.Owner || got[0].Epoch != 2 || n.Stats().Fenced[ByPeer] != 1 || n.Stats().Waiting != 0 {
			t.Errorf("released %+v, %+v", got, n.Stats())
		}
		if told := n.hostTold(); told != "release" {
			t.Errorf("the host was told %s, want it once the call is no longer stored", told)
		}
		if line := `msg="call released: another node owns it" call_id=a-0 local_tag=l remote_tag=r owner=b epoch=2 fence=peer`; n.logs.Count(line) != 1 {
			t.Errorf("logged %s; want %s", n.logs.String(), line)
		}
	})
}

// Nothing stays known of a call that was let go: should it begin anew, it is in its first
// epoch.
func TestReleaseForgetsTheEpoch(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		id := n.calls(1)[0]
		n.mu.Lock()
		n.hold(id, holding{claimed: 2})
		n.mu.Unlock()
		n.release(failover.Key{ID: id, Epoch: 2}, failover.Ownership{Owner: failover.Node{Name: "b"}, Epoch: 3}, ByRegistry)
		if len(n.letGo()) != 1 || len(n.held) != 0 || n.epochOf(id) != 1 {
			t.Errorf("released %v; of %d calls something is known, of this one epoch %d", n.letGo(), len(n.held), n.epochOf(id))
		}
	})
}

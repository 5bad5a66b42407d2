package ownership

import "testing"

// A call that began here is in epoch 1, and takes no memory unless there is something to remember.
func TestHolding(t *testing.T) {
	inLab(t, func(l *lab) {
		n, id := l.prepare("a"), call("one").ID
		for _, c := range []struct {
			h     holding
			epoch uint64
			kept  int
		}{
			{holding{}, 1, 0},
			{holding{claimed: 2}, 2, 1},
			{holding{claimed: 1}, 1, 1},
			{holding{unproved: true}, 1, 1},
			{holding{doubted: true}, 1, 1},
			{holding{jumped: true}, 1, 1},
			{holding{}, 1, 0},
		} {
			n.Node.mu.Lock()
			n.hold(id, c.h)
			n.Node.mu.Unlock()
			if n.epochOf(id) != c.epoch || n.Key(id).Epoch != c.epoch || n.exceptions() != c.kept {
				t.Errorf("%+v: epoch %d, %d kept; want %d, %d", c.h, n.epochOf(id), n.exceptions(), c.epoch, c.kept)
			}
		}
	})
}

package ownership

import (
	"fmt"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// filled is a node that has written that many calls.
func filled(t *testing.T, many int) *Node {
	t.Helper()
	n := idle(t)
	for i := range many {
		if err := n.Create(t.Context(), call(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for n.waiting() > 0 {
		n.written(n.nextBatch(nil), nil)
	}
	t.Cleanup(n.endSweep)
	return n
}

// A sweep writes each call once, and only with the last of them is it known which calls are
// ours. The next sweep begins anew, also where the one before is not over.
func TestSweeps(t *testing.T) {
	const many = 2*batchSize + 1
	n := filled(t, many)
	begin := func() {
		n.lease.suspect.Store(true)
		n.writeAll(time.Now())
	}
	for range 2 {
		begin()
		n.written(n.nextBatch(nil), nil) // and another one is wanted
		begin()
		for i, want := range []int{batchSize, batchSize, 1} {
			batch := n.nextBatch(nil)
			if len(batch) != want || !n.lease.suspect.Load() {
				t.Errorf("batch %d has %d calls, want %d; suspect before it is written: %v", i, len(batch), want, n.lease.suspect.Load())
			}
			n.written(batch, nil)
		}
		if n.lease.suspect.Load() {
			t.Error("suspect when all is written")
		}
		if batch := n.nextBatch(nil); len(batch) != 0 {
			t.Errorf("%d calls are written again after the sweep", len(batch))
		}
		n.lease.suspect.Store(true)
		if n.written(nil, nil); !n.lease.suspect.Load() {
			t.Error("a write after the sweep lifts a new suspicion")
		}
	}
}

// After a write that failed, others may have claimed calls that were written before it: all
// are written again before they count as ours.
func TestSweepAgainAfterFailure(t *testing.T) {
	const many = 2*batchSize + 1
	n := filled(t, many)
	n.lease.suspect.Store(true)
	n.writeAll(time.Now())
	n.written(n.nextBatch(nil), nil)
	n.written(n.nextBatch(nil), errDown)
	written := make(map[dialogstore.ID]bool)
	for batches := 0; n.lease.suspect.Load(); batches++ {
		if batches > many {
			t.Fatal("suspect for ever")
		}
		batch := n.nextBatch(nil)
		for _, m := range batch {
			written[m.id] = true
		}
		n.written(batch, nil)
	}
	if len(written) != many {
		t.Errorf("%d calls were written after the failure, want all %d", len(written), many)
	}
}

// While another sweep is wanted, the end of one does not lift the suspicion.
func TestSweepBeforeAnother(t *testing.T) {
	n := filled(t, 1)
	n.lease.suspect.Store(true)
	n.writeAll(time.Now())
	batch := n.nextBatch(nil)
	n.writeAll(time.Now().Add(time.Hour))
	n.written(batch, nil)
	if len(batch) != 1 || !n.lease.suspect.Load() {
		t.Errorf("%d calls written; suspect: %v, want still", len(batch), n.lease.suspect.Load())
	}
	if batch := n.nextBatch(nil); len(batch) != 0 {
		t.Errorf("%d calls are written an hour too early", len(batch))
	}
}

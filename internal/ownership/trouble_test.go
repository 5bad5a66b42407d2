package ownership

import (
	"testing"
	"time"
)

// Trouble begins with the first failure, is over at the first good beat when none has failed
// for long enough, and each is logged once.
func TestTrouble(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		tr, now := &n.trouble, time.Now()
		at := func(d time.Duration) time.Time { return now.Add(d) }
		state := func(name string, on bool, over uint64, began, ended int) {
			t.Helper()
			if tr.on.Load() != on || tr.over.Load() != over || n.logs.Count("registry unreachable") != began || n.logs.Count("registry reachable again") != ended {
				t.Errorf("%s: on %v, over %d times, logged %d and %d times; want %v, %d, %d, %d", name, tr.on.Load(), tr.over.Load(),
					n.logs.Count("registry unreachable"), n.logs.Count("registry reachable again"), on, over, began, ended)
			}
		}
		tr.pass(now)
		state("no failure", false, 0, 0, 0)
		tr.begin(at(0), errDown)
		state("the first failure", true, 0, 1, 0)
		tr.begin(at(time.Second), errDown)
		tr.pass(at(time.Second + aLease - 1))
		state("too early", true, 0, 1, 0)
		tr.pass(at(time.Second + aLease))
		state("over", false, 1, 1, 1)
		if n.logs.Count(" unreachable_for=1s") != 1 {
			t.Errorf("logged %s; want that it lasted 1s", n.logs.String())
		}
		tr.begin(at(time.Minute), errDown)
		tr.pass(at(time.Minute + aLease))
		state("again", false, 2, 2, 2)
		if n.logs.Count(" unreachable_for=0s") != 1 {
			t.Errorf("logged %s; want that the second lasted 0s", n.logs.String())
		}
	})
}

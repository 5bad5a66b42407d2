package ownership

import (
	"testing"
	"time"
)

// Each takeover is counted once, at the first bound that it does not exceed.
func TestDelays(t *testing.T) {
	var c counters
	for i, d := range Delays {
		c.tookOver(&c.kept, d)
		c.tookOver(&c.ended, d+1)
		want := uint64(2)
		if i == 0 {
			want = 1
		}
		if got, next := c.delayed[i].Load(), c.delayed[i+1].Load(); got != want || next != 1 {
			t.Errorf("up to %v there are %d, above it %d; want %d and one", d, got, next, want)
		}
	}
	c.tookOver(&c.kept, time.Millisecond)
	if got, want := time.Duration(c.slowest.Load()), time.Minute+1; got != want {
		t.Errorf("the slowest took %v, want %v", got, want)
	}
	if got, want := time.Duration(c.delay.Load()), 2*(time.Second+2*time.Second+5*time.Second+7*time.Second+10*time.Second+15*time.Second+30*time.Second+time.Minute)+8+time.Millisecond; got != want {
		t.Errorf("all took %v, want %v", got, want)
	}
	if c.kept.Load() != 9 || c.ended.Load() != 8 {
		t.Errorf("%d kept, %d ended", c.kept.Load(), c.ended.Load())
	}
}

// What Stats says of a node, before its first beat and after it.
func TestStats(t *testing.T) {
	inLab(t, func(l *lab) {
		n := l.prepare("a")
		if got := n.Stats(); got != (Stats{LeaseAge: -1}) {
			t.Errorf("of a new node: %+v", got)
		}
		n.calls(3)
		n.lease.renew(time.Now())
		n.trouble.begin(time.Now(), errDown)
		n.stats.nodes.Store(4)
		n.stats.writing.Store(5)
		n.stats.refused.Store(6)
		n.stats.fenced[ByLease].Store(7)
		n.stats.tookOver(&n.stats.ended, 3*time.Second)
		n.stats.tookOver(&n.stats.kept, time.Second)
		time.Sleep(2 * time.Second)
		want := Stats{Nodes: 4, Owned: 3, Waiting: 8, LeaseAge: 2 * time.Second, Degraded: true, Kept: 1, Ended: 1, Refused: 6, Delay: 4 * time.Second, Slowest: 3 * time.Second}
		want.Fenced[ByLease] = 7
		want.Delayed[0], want.Delayed[2] = 1, 1
		if got := n.Stats(); got != want {
			t.Errorf("%+v\nwant\n%+v", got, want)
		}
	})
}

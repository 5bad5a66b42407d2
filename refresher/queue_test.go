package refresher

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
)

// Dead places do not pile up behind one far in the future.
func TestQueueForgetsTheDead(t *testing.T) {
	q := queue{id: inDue, time: func(c *call) time.Duration { return c.at }}
	for i := range 100_000 {
		c := newCall(&dialogstore.Dialog{}, 0)
		c.at = time.Hour + time.Duration(i%7)*time.Minute
		if q.add(c); i%100 > 0 {
			q.remove(c)
		}
	}
	if len(q.all) > 2500 {
		t.Errorf("%d places for 1000 calls", len(q.all))
	}
	n, last := 0, time.Duration(0)
	for ; ; n++ {
		c := q.first()
		if c == nil && n == 1000 {
			return
		}
		if c == nil || c.at < last {
			t.Fatalf("after %d the first is %v, want 1000 in their order", n, c)
		}
		last = c.at
		q.take()
	}
}

// Whatever is added, postponed, advanced and removed, the first call is the one that is due
// first.
func TestQueueOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := queue{id: inDue, time: func(c *call) time.Duration { return c.at }}
		calls := make([]*call, 8)
		for i := range calls {
			calls[i] = newCall(&dialogstore.Dialog{}, 0)
		}
		earliest := func() time.Duration {
			times := []time.Duration{math.MaxInt64}
			for _, c := range calls {
				if q.has(c) {
					times = append(times, c.at)
				}
			}
			return slices.Min(times)
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			c := calls[rapid.IntRange(0, len(calls)-1).Draw(t, "call")]
			switch rapid.SampledFrom([]string{"add", "add", "remove", "take"}).Draw(t, "step") {
			case "add":
				c.at = time.Duration(rapid.IntRange(-5, 20).Draw(t, "second")) * time.Second
				q.add(c)
			case "remove":
				q.remove(c)
			case "take":
				if q.first() != nil {
					q.take()
				}
			}
			if rapid.Bool().Draw(t, "blind") {
				continue // removed calls stay on top, also while the queue is cleaned
			}
			first, want := q.first(), earliest()
			switch {
			case first == nil && want == math.MaxInt64:
			case first == nil || !q.has(first) || first.at != want:
				t.Fatalf("first is %+v, want one of %v", first, want)
			}
		}
	})
}

// A queue that was cleaned while a removed call was on top still has the earliest call first.
func TestQueueCleanedAtTheTop(t *testing.T) {
	q := queue{id: inDue, time: func(c *call) time.Duration { return c.at }}
	add := func(at time.Duration) *call {
		c := newCall(&dialogstore.Dialog{}, 0)
		c.at = at
		q.add(c)
		return c
	}
	top := add(1)
	add(5)
	earliest := add(3)
	add(9)
	q.remove(top)
	if add(7); len(q.all) != 4 {
		t.Fatalf("%d places for 4 calls, want the removed one cleaned away", len(q.all))
	}
	if got := q.first(); got != earliest {
		t.Errorf("the first is due at %v, want %v", got.at, earliest.at)
	}
}

// A place that was given up keeps no call in memory.
func TestQueueLetsGo(t *testing.T) {
	q := queue{id: inDue, time: func(c *call) time.Duration { return c.at }}
	for range 3 {
		q.add(newCall(&dialogstore.Dialog{}, 0))
	}
	q.take()
	if left := q.all[:3]; len(q.all) != 2 || left[2] != (place{}) || q.many.Load() != 2 {
		t.Errorf("%d places, %d calls, and behind them %+v; want 2, 2 and none", len(q.all), q.many.Load(), left[2])
	}
}

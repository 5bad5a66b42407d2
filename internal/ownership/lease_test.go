package ownership

import (
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// The lease counts by whichever clock says more: a machine that sleeps stops the
// monotonic one, and setting the wall clock back makes no lease longer.
func TestReadingAge(t *testing.T) {
	start := time.Now()
	for _, c := range []struct {
		name            string
		monotonic, wall time.Duration // from the reading to now, by either clock
		want            time.Duration
	}{
		{"both agree", time.Second, time.Second, time.Second},
		{"asleep", time.Second, time.Minute, time.Minute},
		{"set back", time.Minute, -time.Hour, time.Minute},
	} {
		r := read(start)
		r.wall = r.wall.Add(c.monotonic - c.wall) // no time has clocks that disagree, so the reading does
		if got := r.age(start.Add(c.monotonic)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The lease is good for as long as the last good beat, counted from before it was sent,
// is younger than it.
func TestLeaseIsGood(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := lease{length: 6 * time.Second}
		start := time.Now()
		if l.good(start) {
			t.Error("good before the first beat")
		}
		l.renew(start)
		for after, want := range map[time.Duration]bool{0: true, 6*time.Second - 1: true, 6 * time.Second: false, time.Hour: false} {
			if got := l.good(start.Add(after)); got != want {
				t.Errorf("good %v after the beat: %v, should be %v", after, got, want)
			}
		}
		l.suspect.Store(true)
		if l.good(start) {
			t.Error("good though others may claim calls of ours")
		}
	})
}

// A beat counts from when it was sent: a slow registry makes the lease shorter.
func TestLeaseOfSlowBeats(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.prepare("a")
		a.way.slowBy(2 * time.Second)
		a.Start()
		l.at(1999 * time.Millisecond)
		if a.Good() {
			t.Error("good before the first answer")
		}
		l.at(20 * time.Second)
		if !a.Good() || a.Stats().LeaseAge < 2*time.Second {
			t.Errorf("good: %v, with a lease of age %v; want at least the 2 s that an answer takes", a.Good(), a.Stats().LeaseAge)
		}
		a.way.cut()
		l.at(30 * time.Second)
		if a.Good() {
			t.Error("good though no beat has been answered for more than a lease")
		}
	})
}

// A process that has stood still watches the others anew: they, and the registry, may
// have stood still with it.
func TestPause(t *testing.T) {
	inLab(t, func(l *lab) {
		other := l.node("other")
		l.pass(time.Second)
		other.stop()
		a := l.prepare("a")
		b := &beater{Node: a.Node, watch: newWatch(a.me, a.cfg.Settings.Lease), swept: time.Now()}
		gone := func() int { return len(a.seen.Load().gone) }
		b.once(time.Now())
		l.pass(time.Minute) // nobody has woken it
		if a.Good() {
			t.Error("the lease is good after a pause of a minute")
		}
		b.once(time.Now())
		if gone() > 0 {
			t.Error("the other one is taken for dead by what was seen before the pause")
		}
		for begun := time.Now(); time.Since(begun) < aLease; {
			if gone() > 0 {
				t.Errorf("the other one is dead %v after the pause", time.Since(begun))
			}
			time.Sleep(time.Until(b.due))
			b.once(time.Now())
		}
		if gone() != 1 || !a.Good() {
			t.Errorf("%d are dead a lease after the pause, want one; good: %v", gone(), a.Good())
		}
	})
}

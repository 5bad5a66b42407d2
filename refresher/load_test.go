package refresher_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// inLoadedLab is inLab with a spread and bounds.
func inLoadedLab(t *testing.T, jitter float64, limits refresher.Limits, f func(l *lab)) {
	t.Helper()
	inLab(t, func(l *lab) {
		l.r.Configure(refresher.Config{Store: l.store, Pipeline: l, Event: l.event, Logger: quiet, Jitter: jitter, Limits: limits})
		f(l)
	})
}

// calls creates n calls that begin now.
func (l *lab) calls(n int, interval time.Duration) {
	l.Helper()
	for i := range n {
		l.create(call(fmt.Sprintf("call-%d", i), interval))
	}
}

// perSecond counts the attempts of each second.
func perSecond(attempts []attempt) map[int]int {
	n := make(map[int]int)
	for _, a := range attempts {
		n[int(a.at/time.Second)]++
	}
	return n
}

func busiest(attempts []attempt) int {
	most := 0
	for _, n := range perSecond(attempts) {
		most = max(most, n)
	}
	return most
}

// Only what is due soon is scheduled. An idle call costs the refresher nothing, and is still
// refreshed on time.
func TestFarCallsAreNotScheduled(t *testing.T) {
	for _, interval := range []time.Duration{70, 80, 81, 82, 90, 300, 1800, 86400} {
		inLab(t, func(l *lab) {
			interval := interval * time.Second
			l.answer = always(200)
			l.calls(3, interval)
			if watched := l.r.Len(); interval > 80*time.Second && watched != 0 {
				t.Errorf("%v: %d schedules for idle calls, want none", interval, watched)
			}
			attempts, hangups := l.run(interval + time.Second)
			if len(attempts) != 6 || attempts[0].at != interval/2 || attempts[5].at != interval || len(hangups) != 0 {
				t.Errorf("%v: attempts %v, hang-ups %v; want each call at each half and none", interval, attempts, hangups)
			}
		})
	}
}

// A dead peer is detected even if its session had been far.
func TestFarCallsAreHungUp(t *testing.T) {
	inLab(t, func(l *lab) {
		d := call("peer refreshes", 1800*time.Second)
		d.Session.Refresher = 2
		l.create(d)
		if _, hangups := l.run(time.Hour); !slices.Equal(hangups, []time.Duration{1768 * time.Second}) {
			t.Errorf("hung up at %v, want a margin before expiry", hangups)
		}
	})
}

// A failed refresh is remembered, however far the end of its session is: there is no further
// attempt.
func TestFailedStaysScheduled(t *testing.T) {
	inLab(t, func(l *lab) {
		l.answer = always(422)
		l.create(call("failed", 4*time.Hour))
		attempts, hangups := l.run(5 * time.Hour)
		if len(attempts) != 1 || !slices.Equal(hangups, []time.Duration{4 * time.Hour}) {
			t.Errorf("attempts %v, hung up at %v; want one, and the end at expiry", attempts, hangups)
		}
	})
}

// Calls that begin together are refreshed apart: before the half, by a share of
// the time until then, and never after it.
func TestJitter(t *testing.T) {
	inLoadedLab(t, 0.1, refresher.Limits{}, func(l *lab) {
		const n = 2000
		l.answer = always(200)
		l.calls(n, 1800*time.Second)
		attempts, hangups := l.run(901 * time.Second)
		if len(attempts) != n || len(hangups) != 0 {
			t.Fatalf("%d refreshes and %d hang-ups, want %d and none", len(attempts), len(hangups), n)
		}
		first, last := attempts[0].at, attempts[n-1].at
		if first < 810*time.Second || last > 900*time.Second || last-first < 80*time.Second {
			t.Errorf("refreshed from %v to %v, want all of 810 s to 900 s", first, last)
		}
		if most := busiest(attempts); most > 3*n/90 {
			t.Errorf("%d in the busiest second, want about %d", most, n/90)
		}
	})
}

// No more start per second than allowed, and still none is late.
func TestPerSecond(t *testing.T) {
	inLoadedLab(t, 0, refresher.Limits{PerSecond: 100}, func(l *lab) {
		l.answer = always(200)
		l.calls(1000, 1800*time.Second)
		attempts, hangups := l.run(950 * time.Second)
		if len(attempts) != 1000 || len(hangups) != 0 {
			t.Fatalf("%d refreshes and %d hang-ups, want 1000 and none", len(attempts), len(hangups))
		}
		if most := busiest(attempts); most > 100 {
			t.Errorf("%d in the busiest second, want 100", most)
		}
		if last := attempts[999].at; last > 911*time.Second {
			t.Errorf("the last refresh is at %v, want all within 10 s", last)
		}
	})
}

// gauge counts the refreshes under way, and goroutines.
type gauge struct{ now, most, goroutines int }

func (g *gauge) watch(l *lab, code func(time.Duration) int) func(*lab, int, dialogstore.Dialog, sessiontimer.Method) (int, error) {
	return func(*lab, int, dialogstore.Dialog, sessiontimer.Method) (int, error) {
		l.mu.Lock()
		g.now++
		g.most = max(g.most, g.now)
		g.goroutines = max(g.goroutines, runtime.NumGoroutine())
		l.mu.Unlock()
		defer func() {
			l.mu.Lock()
			g.now--
			l.mu.Unlock()
		}()
		at := time.Since(l.start)
		if code(at) != 0 {
			time.Sleep(50 * time.Millisecond)
			return 200, nil
		}
		time.Sleep(32 * time.Second)
		return 0, fmt.Errorf("timer F: %w", refresher.ErrUnanswered)
	}
}

// A dead network: as many wait for answers as allowed, and no more. When it
// returns, the rest goes out without a storm, and none of them is lost.
func TestDeadNetworkReturns(t *testing.T) {
	const calls, unanswered, perSecond = 100_000, 5000, 5000
	before := runtime.NumGoroutine()
	inLoadedLab(t, 0, refresher.Limits{PerSecond: perSecond, Unanswered: unanswered}, func(l *lab) {
		var g gauge
		back := 1000 * time.Second
		l.answer = g.watch(l, func(at time.Duration) int {
			if at < back {
				return 0
			}
			return 200
		})
		l.calls(calls, 1800*time.Second)
		attempts, hangups := l.run(1700 * time.Second)
		if g.most != unanswered {
			t.Errorf("%d refreshes under way at most, want %d", g.most, unanswered)
		}
		if n := g.goroutines - before; n > 2*unanswered+100 {
			t.Errorf("%d goroutines, want little more than the %d refreshes and as many hang-ups that may wait for an answer", n, unanswered)
		}
		lost := int(100*time.Second/(32*time.Second)+1) * unanswered
		if len(hangups) > lost || len(attempts)-len(hangups) != calls-len(hangups) {
			t.Errorf("%d refreshes and %d hang-ups of %d calls, want a refresh of each, and no more than %d hang-ups", len(attempts), len(hangups), calls, lost)
		}
		if most := busiest(attempts); most > perSecond {
			t.Errorf("%d in the busiest second, want %d", most, perSecond)
		}
	})
}

// If nothing is answered, the bound holds to the end: more would not help, except for a probe
// every half second. Calls without a turn until then are hung up, without a refresh that is
// too late.
func TestDeadNetworkStays(t *testing.T) {
	inLoadedLab(t, 0, refresher.Limits{PerSecond: 1000, Unanswered: 10}, func(l *lab) {
		var g gauge
		l.answer = g.watch(l, func(time.Duration) int { return 0 })
		l.calls(200, 90*time.Second)
		attempts, hangups := l.run(125 * time.Second)
		if probes := 32 * 2; g.most < 10 || g.most > 10+probes+1 {
			t.Errorf("%d refreshes under way at most, want 10 and %d probes", g.most, probes)
		}
		if last := attempts[len(attempts)-1].at; last >= 90*time.Second {
			t.Errorf("the last refresh is at %v, want none after expiry", last)
		}
		if len(hangups) != 200 {
			t.Errorf("%d hang-ups, want 200", len(hangups))
		}
		if len(l.failed) != len(attempts) {
			t.Errorf("%d failures told of %d refreshes that went out, want one each", len(l.failed), len(attempts))
		}
	})
}

// The refresh with the earliest last chance goes first.
func TestMostUrgentFirst(t *testing.T) {
	inLoadedLab(t, 0, refresher.Limits{PerSecond: 10, Unanswered: 1}, func(l *lab) {
		var order []string
		l.answer = func(_ *lab, _ int, d dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
			order = append(order, d.CallID)
			time.Sleep(time.Second)
			return 200, nil
		}
		for i, interval := range []time.Duration{400, 300, 200, 100} {
			d := call(fmt.Sprint(int(interval)), interval*time.Second)
			d.Session.Since = d.Session.Since.Add(-d.Session.Interval/2 - time.Duration(10-i)*time.Second)
			l.create(d)
		}
		l.run(20 * time.Second)
		if want := []string{"400", "100", "200", "300"}; !slices.Equal(order, want) {
			t.Errorf("refreshed in the order %v, want %v: what came first, then by deadline", order, want)
		}
	})
}

// After a restart everything may be overdue at once.
func TestRestoreWithinLimits(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := &lab{T: t, start: time.Now(), r: refresher.New()}
		memory := dialogstore.NewMemory()
		for i := range 300 {
			d := call(fmt.Sprintf("call-%d", i), 1800*time.Second)
			d.Version, d.Session.Since = 1, d.Session.Since.Add(-1000*time.Second)
			if err := memory.Create(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		l.store = dialogstore.Observe(memory, l.r)
		l.r.Configure(refresher.Config{Store: l.store, Pipeline: l, Event: l.event, Logger: quiet, Limits: refresher.Limits{PerSecond: 50}})
		l.answer = always(200)
		if err := l.r.Restore(t.Context()); err != nil {
			t.Fatal(err)
		}
		attempts, _ := l.run(10 * time.Second)
		if most := busiest(attempts); len(attempts) != 300 || most > 50 {
			t.Errorf("%d refreshes, %d in the busiest second; want 300 and 50", len(attempts), most)
		}
		l.r.Close()
	})
}

// If more refreshes and hang-ups are due together than may start, all refreshes go first, and
// later ones do not delay them.
func TestRefreshesBeforeHangups(t *testing.T) {
	inLoadedLab(t, 0, refresher.Limits{PerSecond: 10}, func(l *lab) {
		l.answer = always(200)
		for i := range 30 {
			d := call(fmt.Sprint("dead-", i), 90*time.Second)
			d.Session.Refresher = sessiontimer.Peer
			l.create(d)
		}
		l.calls(30, 120*time.Second)
		l.create(call("later", 198*time.Second))
		if attempts, hangups := l.run(63*time.Second - time.Millisecond); len(attempts) != 30 || len(hangups) != 0 {
			t.Errorf("%d refreshes and %d hang-ups in the first three seconds, want the 30 refreshes", len(attempts), len(hangups))
		}
		if _, hangups := l.run(3 * time.Second); len(hangups) != 30 {
			t.Errorf("%d hang-ups in the three seconds after that, want 30", len(hangups))
		}
	})
}

package refresher_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// Half of the peers are dead and would make the others wait until they expire: a refresh at
// its last chance goes out, whatever is under way.
func TestLastChanceIsTaken(t *testing.T) {
	inLoadedLab(t, 0, refresher.Limits{PerSecond: 1000, Unanswered: 10}, func(l *lab) {
		var g gauge
		n := 0
		alive := g.watch(l, func(time.Duration) int { return 200 })
		dead := g.watch(l, func(time.Duration) int { return 0 })
		l.answer = func(l *lab, i int, d dialogstore.Dialog, m sessiontimer.Method) (int, error) {
			if d.LocalTag == "dead" {
				return dead(l, i, d, m)
			}
			l.mu.Lock()
			n++
			l.mu.Unlock()
			return alive(l, i, d, m)
		}
		for i := range 400 {
			d := call(fmt.Sprintf("call-%d", i), 90*time.Second)
			if i%2 == 0 {
				d.LocalTag = "dead"
			}
			l.create(d)
		}
		if _, hangups := l.run(89 * time.Second); n < 200 || len(hangups) > 200 {
			t.Errorf("%d of 200 healthy calls were refreshed, %d calls hung up; want all and no more than the 200 dead", n, len(hangups))
		}
	})
}

// Dead calls that hold all places do not make a healthy one wait too long, whether they hold
// them with unanswered refreshes or with hang-ups.
func TestDeadFillTheHouse(t *testing.T) {
	for _, dead := range []int{10, 30, 200} {
		for _, who := range []sessiontimer.Refresher{sessiontimer.Local, sessiontimer.Peer} {
			inLoadedLab(t, 0, refresher.Limits{PerSecond: 1000, Unanswered: 10}, func(l *lab) {
				late := l.healthyAmong(dead, who)
				if late > 0 {
					t.Errorf("%d dead calls, refreshed by %v: %d healthy calls refreshed too late for their peers", dead, who, late)
				}
			})
		}
	}
}

// healthyAmong starts 60 healthy calls, one a second, among some dead ones. It counts the
// refreshes that were too late.
func (l *lab) healthyAmong(dead int, who sessiontimer.Refresher) (late int) {
	last := make(map[string]time.Time)
	l.slowBye = 32 * time.Second
	l.answer = func(l *lab, _ int, d dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
		if strings.HasPrefix(d.CallID, "dead") {
			return 0, nil
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if time.Since(last[d.CallID]) >= 60*time.Second {
			late++
		}
		last[d.CallID] = time.Now()
		return 200, nil
	}
	for i := range 60 {
		if i == 20 {
			for n := range dead {
				d := call(fmt.Sprint("dead-", n), 90*time.Second)
				d.Session.Refresher = who
				l.create(d)
			}
		}
		d := call(fmt.Sprint("healthy-", i), 90*time.Second)
		l.mu.Lock()
		last[d.CallID] = time.Now()
		l.mu.Unlock()
		l.create(d)
		time.Sleep(time.Second)
	}
	l.run(60 * time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range last {
		if time.Since(at) >= 60*time.Second {
			late++
		}
	}
	return late
}

// More are at their last chance than may start at a time, and all places are taken: they go
// faster than usual, but not all at once.
func TestLastChanceMakesNoStorm(t *testing.T) {
	inLoadedLab(t, 0, refresher.Limits{PerSecond: 100, Unanswered: 1}, func(l *lab) {
		l.answer = always(200)
		l.calls(2000, 90*time.Second)
		attempts, _ := l.run(65 * time.Second)
		if most := busiest(attempts); most != 400 {
			t.Errorf("%d in the busiest second, want four times the 100", most)
		}
	})
}

// Refreshes that have missed their last chance still go out when the network is back,
// whatever unanswered BYEs of dead calls there are: the peer may be patient.
func TestMissedAmongHangups(t *testing.T) {
	inLoadedLab(t, 0, refresher.Limits{PerSecond: 1000, Unanswered: 10}, func(l *lab) {
		refreshed := make(map[string]bool)
		l.slowBye = 32 * time.Second
		l.answer = func(l *lab, _ int, d dialogstore.Dialog, _ sessiontimer.Method) (int, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if time.Since(l.start) < 67*time.Second {
				return 0, nil
			}
			refreshed[d.CallID] = true
			return 200, nil
		}
		time.Sleep(5 * time.Second)
		l.calls(200, 90*time.Second)
		l.run(88 * time.Second)
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(refreshed) < 150 {
			t.Errorf("%d of 200 calls refreshed when the network was back, want most", len(refreshed))
		}
	})
}

// Hang-ups do not wait for unanswered refreshes: if many peers are dead and we refresh half
// of the calls, the other half is still hung up.
func TestHangupsAmongDead(t *testing.T) {
	inLoadedLab(t, 0, refresher.Limits{PerSecond: 1000, Unanswered: 10}, func(l *lab) {
		l.answer = always(0)
		for i := range 200 {
			d := call(fmt.Sprint("dead-", i), 90*time.Second)
			if i%2 == 0 {
				d.Session.Refresher = sessiontimer.Peer
			}
			l.create(d)
		}
		_, hangups := l.run(61 * time.Second)
		if len(hangups) != 100 {
			t.Errorf("%d hung up a margin before expiry, want the 100 that their peers should have refreshed", len(hangups))
		}
	})
}

// Even a very large limit is a limit.
func TestLargeLimits(t *testing.T) {
	inLoadedLab(t, 0, refresher.Limits{PerSecond: math.MaxInt, Unanswered: math.MaxInt}, func(l *lab) {
		l.answer = always(200)
		l.calls(2000, 90*time.Second)
		if attempts, _ := l.run(45 * time.Second); len(attempts) != 2000 {
			t.Errorf("%d refreshes at the half, want all 2000", len(attempts))
		}
	})
}

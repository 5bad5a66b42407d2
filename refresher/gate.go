package refresher

import (
	"math"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// Limits bound what is sent, so that many calls that are due together, or a dead
// network that comes back, make no storm. What may not start waits; those go
// first that would be too late first, and hang-ups last. The bounds yield where
// waiting longer would cost a call that sending may save: while others are
// answered, a refresh at its last chance counts on more places, and on four times
// the rate.
type Limits struct {
	PerSecond  int // refreshes and hang-ups started in a second; 0 for no bound
	Unanswered int // refreshes that wait for their answer, and BYEs on their way out; 0 for no bound
}

const (
	// pace is the slice of time that PerSecond is kept in.
	pace = 100 * time.Millisecond
	// hurry is how much faster than PerSecond refreshes go at their last chance.
	hurry = 4
	// silence without an answer to a full house of requests means that the
	// network is dead, and that sending more is no help. It is T2 of RFC 3261.
	silence = 4 * time.Second
	// probeEvery is how often one more is sent all the same: where the house is
	// full of dead peers, the others have had no chance to answer.
	probeEvery = 500 * time.Millisecond
)

// gate keeps the Limits.
type gate struct {
	limits   Limits
	underWay [sessiontimer.Hangup + 1]int
	slice    time.Time // when the present slice of time began
	started  int       // in it
	last     time.Time // when anything was started last
	heard    time.Time // when a refresh was answered last
}

// open tells whether one more may start now. A refresh that is urgent is at its last
// chance.
func (g *gate) open(action sessiontimer.Action, urgent bool, now time.Time) bool {
	if urgent {
		return g.alive(now) && !g.paced(now, hurry)
	}
	return !g.full(action) && !g.paced(now, 1)
}

// alive reports whether one refresh more than there is room for may be answered.
func (g *gate) alive(now time.Time) bool {
	return !g.full(sessiontimer.Refresh) || now.Sub(g.heard) < silence || now.Sub(g.last) >= probeEvery
}

func (g *gate) full(action sessiontimer.Action) bool {
	return g.limits.Unanswered > 0 && g.underWay[action] >= g.limits.Unanswered
}

// paced reports whether this slice of time has seen enough, at so many times the rate.
func (g *gate) paced(now time.Time, times float64) bool {
	if g.limits.PerSecond == 0 {
		return false
	}
	if now.Sub(g.slice) >= pace {
		g.slice, g.started = now, 0
	}
	return float64(g.started) >= max(1, math.Floor(times*float64(g.limits.PerSecond)*pace.Seconds()))
}

func (g *gate) enter(action sessiontimer.Action, now time.Time) {
	g.underWay[action]++
	g.started++
	g.last = now
}

func (g *gate) leave(action sessiontimer.Action) { g.underWay[action]-- }

// opens is when to ask again, at the latest. A place that becomes free in between is
// a reason too.
func (g *gate) opens(action sessiontimer.Action, now time.Time) time.Time {
	if next := g.slice.Add(pace); !g.full(action) && next.After(now) {
		return next
	}
	return now.Add(pace)
}

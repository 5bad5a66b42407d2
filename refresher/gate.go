package refresher

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// Limits bound what is sent, so that there is no storm when many calls are due together, or
// when a dead network comes back. Requests beyond the limits wait. The refresh with the
// earliest last chance goes first, and hang-ups go last. The limits yield where waiting
// would cost a call that could be saved: while other refreshes are answered, a refresh at
// its last chance may exceed Unanswered, and four times PerSecond applies.
type Limits struct {
	PerSecond  int // refreshes and hang-ups started in a second; 0 for no bound
	Unanswered int // refreshes that wait for an answer, and BYEs being sent; 0 for no bound
}

const (
	// pace is the slice of time over which PerSecond is enforced.
	pace = 100 * time.Millisecond
	// hurry is the factor on PerSecond for refreshes at their last chance.
	hurry = 4
	// silence is how long nothing must be answered, while all places are taken, for the
	// network to count as dead, so that sending more does not help. It is T2 of RFC 3261.
	silence = 4 * time.Second
	// probeEvery is how often one more request is sent nevertheless: if dead peers have
	// taken all places, the other peers had no chance to answer.
	probeEvery = 500 * time.Millisecond
)

// gate enforces the Limits.
type gate struct {
	limits   Limits
	underWay [sessiontimer.Hangup + 1]atomic.Int64 // read without a lock
	slice    time.Time                             // when the present slice of time began
	started  int                                   // in it
	last     time.Time                             // when something was last started
	heard    time.Time                             // when a refresh was last answered
}

// open reports whether one more request may start now. An urgent refresh is at its last
// chance.
func (g *gate) open(action sessiontimer.Action, urgent bool, now time.Time) bool {
	if urgent {
		return g.alive(now) && !g.paced(now, hurry)
	}
	return !g.full(action) && !g.paced(now, 1)
}

// alive reports whether a refresh beyond the limit has a chance of an answer.
func (g *gate) alive(now time.Time) bool {
	return !g.full(sessiontimer.Refresh) || now.Sub(g.heard) < silence || now.Sub(g.last) >= probeEvery
}

func (g *gate) full(action sessiontimer.Action) bool {
	return g.limits.Unanswered > 0 && g.underWay[action].Load() >= int64(g.limits.Unanswered)
}

// paced reports whether this slice of time is used up, at the given multiple of the rate.
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
	g.underWay[action].Add(1)
	g.started++
	g.last = now
}

func (g *gate) leave(action sessiontimer.Action) { g.underWay[action].Add(-1) }

// opens returns when to ask again, at the latest. A place may become free before.
func (g *gate) opens(action sessiontimer.Action, now time.Time) time.Time {
	if next := g.slice.Add(pace); !g.full(action) && next.After(now) {
		return next
	}
	return now.Add(pace)
}

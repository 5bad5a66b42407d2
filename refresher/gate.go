package refresher

import (
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
	Unanswered int // refreshes and hang-ups under way; 0 for no bound
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
	underWay int
	slice    time.Time // when the present slice of time began
	started  int       // in it
	last     time.Time // when anything was started last
	heard    time.Time // when a refresh was answered last
}

// open tells whether s may start now.
func (g *gate) open(s *schedule, now time.Time) bool {
	if s.action == sessiontimer.Refresh && !now.Before(s.late) {
		return g.alive(now) && !g.paced(now, hurry)
	}
	return !g.full() && !g.paced(now, 1)
}

// alive tells that one more than there is room for may be answered.
func (g *gate) alive(now time.Time) bool {
	return !g.full() || now.Sub(g.heard) < silence || now.Sub(g.last) >= probeEvery
}

func (g *gate) full() bool { return g.limits.Unanswered > 0 && g.underWay >= g.limits.Unanswered }

// paced tells that this slice of time has seen enough, at so many times the rate.
func (g *gate) paced(now time.Time, times int) bool {
	if g.limits.PerSecond == 0 {
		return false
	}
	if now.Sub(g.slice) >= pace {
		g.slice, g.started = now, 0
	}
	return g.started >= max(1, int(time.Duration(times*g.limits.PerSecond)*pace/time.Second))
}

func (g *gate) enter(now time.Time) {
	g.underWay++
	g.started++
	g.last = now
}

func (g *gate) leave() { g.underWay-- }

// opens is when to ask again for s, at the latest. A place that becomes free in
// between is a reason too.
func (g *gate) opens(s *schedule, now time.Time) time.Time {
	at := s.late
	if !now.Before(at) {
		at = now.Add(pace)
	}
	if !g.full() {
		if next := g.slice.Add(pace); next.Before(at) {
			at = next
		}
	}
	return at
}

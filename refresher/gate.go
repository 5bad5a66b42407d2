package refresher

import (
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// Limits bound what is sent, so that many calls that are due together, or a dead
// network that comes back, make no storm. What may not start waits; those go
// first that would be too late first. The bounds yield where waiting longer
// would cost a call that sending may save: at its last chance, while others are
// answered.
type Limits struct {
	PerSecond  int // refreshes and hang-ups started in a second; 0 for no bound
	Unanswered int // refreshes and hang-ups under way; 0 for no bound
}

const (
	// pace is the slice of time that PerSecond is kept in.
	pace = 100 * time.Millisecond
	// silence without an answer to a full house of requests means that the
	// network is dead, and that sending more is no help. It is T2 of RFC 3261.
	silence = 4 * time.Second
)

// gate keeps the Limits.
type gate struct {
	limits   Limits
	underWay int
	slice    time.Time // when the present slice of time began
	started  int       // in it
	heard    time.Time // when a refresh was answered last
}

// open tells whether s may start now.
func (g *gate) open(s *schedule, now time.Time) bool {
	if g.urgent(s, now) {
		return true
	}
	full := g.limits.Unanswered > 0 && g.underWay >= g.limits.Unanswered
	return !full && !g.paced(now)
}

// urgent tells that s may not wait any longer.
func (g *gate) urgent(s *schedule, now time.Time) bool {
	return s.action == sessiontimer.Refresh && !now.Before(s.late) && now.Sub(g.heard) < silence
}

// paced tells that this slice of time has seen enough.
func (g *gate) paced(now time.Time) bool {
	if g.limits.PerSecond == 0 {
		return false
	}
	if now.Sub(g.slice) >= pace {
		g.slice, g.started = now, 0
	}
	return g.started >= max(1, int(time.Duration(g.limits.PerSecond)*pace/time.Second))
}

func (g *gate) enter() {
	g.underWay++
	g.started++
}

func (g *gate) leave() { g.underWay-- }

// opens is when to ask again for s, at the latest. A place that becomes free in
// between is a reason too.
func (g *gate) opens(s *schedule, now time.Time) time.Time {
	at := s.late
	if !now.Before(at) {
		at = now.Add(pace)
	}
	if g.limits.Unanswered == 0 || g.underWay < g.limits.Unanswered {
		if next := g.slice.Add(pace); next.Before(at) {
			at = next
		}
	}
	return at
}

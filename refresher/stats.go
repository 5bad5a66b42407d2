package refresher

import (
	"sync/atomic"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/tally"
)

// Histogram counts durations by upper bounds. It is a plain value, and read-only.
type Histogram struct {
	Bounds []time.Duration // rising
	// Counts has one more element than Bounds: for each bound the number of durations that
	// were at most that bound and above the one before it, and last the number above all
	// bounds.
	Counts []uint64
	Sum    time.Duration // of all durations
}

// Count returns how many durations there were.
func (h Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Stats are the figures of a Scheduler. Calls that have nothing due within 40 s are in
// none of its queues.
type Stats struct {
	Due     int // calls with a refresh, or an end, due within 40 s
	Waiting int // refreshes whose time has come, and that wait for a place under Limits
	Missed  int // refreshes that still wait although the peer may have given up already
	Byes    int // BYEs of ended sessions that wait for a place

	Unanswered int // refreshes in progress

	// Duration is from when a refresh was given to the Pipeline to its final response.
	// Refreshes without a response are not in it.
	Duration Histogram
	// Lateness is from when a refresh was due to when it was given to the Pipeline. It is
	// above zero if Limits or a busy machine delayed the refresh.
	Lateness Histogram
	// Slack is from when a refresh succeeded to the session's last chance, so how much later
	// it might have been. A refresh after the last chance counts as zero.
	Slack Histogram
}

// Stats returns the present figures; the histograms count since New. It takes no lock, and
// may be called at any time.
func (s *Scheduler) Stats() Stats {
	f := &s.figures
	missed := f.missed.Load()
	return Stats{
		Due:        int(max(0, s.due.many.Load()-missed)),
		Waiting:    int(max(0, s.ready.many.Load()-missed)),
		Missed:     int(missed),
		Byes:       int(f.byes.Load()),
		Unanswered: int(s.gate.underWay[sessiontimer.Refresh].Load()),
		Duration:   read(f.duration),
		Lateness:   read(f.lateness),
		Slack:      read(f.slack),
	}
}

// figures are the part of Stats that does not come from the queues.
type figures struct {
	missed, byes              atomic.Int64
	duration, lateness, slack *tally.Histogram
}

func newFigures() figures {
	const ms, s = time.Millisecond, time.Second
	return figures{
		duration: tally.New([]time.Duration{5 * ms, 10 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 500 * ms, s, 2500 * ms, 5 * s, 10 * s, 32 * s}),
		lateness: tally.New([]time.Duration{ms, 5 * ms, 10 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 500 * ms, s, 5 * s, 10 * s, 30 * s, 60 * s}),
		slack:    tally.New([]time.Duration{0, s, 2 * s, 5 * s, 10 * s, 30 * s, 60 * s, 120 * s, 300 * s, 600 * s, 900 * s, 1800 * s}),
	}
}

// answered notes a final response.
func (f *figures) answered(session sessiontimer.Session, o Outcome, begin, now time.Time) {
	if o.Status == 0 {
		return
	}
	f.duration.Observe(now.Sub(begin))
	if o.Status/100 == 2 {
		f.slack.Observe(session.LastChance().Sub(now))
	}
}

func read(h *tally.Histogram) (r Histogram) {
	r.Bounds, r.Counts, r.Sum = h.Read()
	return r
}

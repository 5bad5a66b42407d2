package refresher

import (
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
)

// What may start, by how many places are taken, how much has started in this slice of time,
// and when something was last started and answered.
func TestGate(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const refresh, hangup = sessiontimer.Refresh, sessiontimer.Hangup
	for _, c := range []struct {
		name         string
		limits       Limits
		refreshes    int64 // under way
		byes         int64
		slice        time.Time
		started      int
		last, heard  time.Time
		action       sessiontimer.Action
		open, urgent bool
	}{
		{name: "no limits", refreshes: 1000, slice: now, started: 1000, action: refresh, open: true, urgent: true},
		{name: "one place is left", limits: Limits{Unanswered: 2}, refreshes: 1, action: refresh, open: true, urgent: true},
		{name: "no place is left", limits: Limits{Unanswered: 2}, refreshes: 2, last: now, heard: ago(4*time.Second - 1), action: refresh, urgent: true},
		{name: "and nobody answers", limits: Limits{Unanswered: 2}, refreshes: 2, last: ago(500*time.Millisecond - 1), heard: ago(4 * time.Second), action: refresh},
		{name: "and a probe is due", limits: Limits{Unanswered: 2}, refreshes: 2, last: ago(500 * time.Millisecond), heard: ago(4 * time.Second), action: refresh, urgent: true},
		{name: "refreshes take no place of BYEs", limits: Limits{Unanswered: 2}, refreshes: 2, byes: 1, last: now, heard: ago(4 * time.Second), action: hangup, open: true},
		{name: "BYEs take all of theirs", limits: Limits{Unanswered: 2}, byes: 2, action: hangup, urgent: true},
		{name: "one more in this slice", limits: Limits{PerSecond: 20}, slice: now, started: 1, action: refresh, open: true, urgent: true},
		{name: "no more in this slice", limits: Limits{PerSecond: 20}, slice: ago(100*time.Millisecond - 1), started: 2, action: refresh, urgent: true},
		{name: "one more at its last chance", limits: Limits{PerSecond: 20}, slice: now, started: 7, action: refresh, urgent: true},
		{name: "no more at their last chance", limits: Limits{PerSecond: 20}, slice: now, started: 8, action: refresh},
		{name: "the next slice", limits: Limits{PerSecond: 20}, slice: ago(100 * time.Millisecond), started: 8, action: refresh, open: true, urgent: true},
		{name: "less than one in a slice", limits: Limits{PerSecond: 1}, slice: now, action: refresh, open: true, urgent: true},
		{name: "that one has started", limits: Limits{PerSecond: 1}, slice: now, started: 1, action: refresh},
		{name: "both limits", limits: Limits{PerSecond: 20, Unanswered: 2}, refreshes: 2, slice: now, started: 8, last: now, heard: now, action: refresh},
	} {
		for _, urgent := range []bool{false, true} {
			g := gate{limits: c.limits, slice: c.slice, started: c.started, last: c.last, heard: c.heard}
			g.underWay[refresh].Store(c.refreshes)
			g.underWay[hangup].Store(c.byes)
			want := c.open
			if urgent {
				want = c.urgent
			}
			if got := g.open(c.action, urgent, now); got != want {
				t.Errorf("%s, urgent %v: open is %v, want %v", c.name, urgent, got, want)
			}
		}
	}
}

// What has started counts for its slice and its place, and leaves only the place.
func TestGateEnterAndLeave(t *testing.T) {
	now := time.Now()
	g := gate{limits: Limits{PerSecond: 20, Unanswered: 2}, slice: now}
	g.enter(sessiontimer.Refresh, now)
	g.enter(sessiontimer.Refresh, now)
	if g.started != 2 || !g.last.Equal(now) || !g.full(sessiontimer.Refresh) || g.full(sessiontimer.Hangup) {
		t.Errorf("%d started, the last at %v; want two refreshes now", g.started, g.last)
	}
	g.leave(sessiontimer.Refresh)
	if g.started != 2 || g.full(sessiontimer.Refresh) {
		t.Errorf("%d started, want two of which one is under way", g.started)
	}
}

// The gate is asked again when the slice is over, or a slice later if no place is left.
func TestGateOpens(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name     string
		slice    time.Duration // before now
		underWay int64
		want     time.Duration // after now
	}{
		{"a new slice", 0, 0, 100 * time.Millisecond},
		{"a slice that is almost over", 100*time.Millisecond - 1, 1, 1},
		{"a slice that is over", 100 * time.Millisecond, 1, 100 * time.Millisecond},
		{"no place", 100*time.Millisecond - 1, 2, 100 * time.Millisecond},
	} {
		g := gate{limits: Limits{Unanswered: 2}, slice: now.Add(-c.slice)}
		g.underWay[sessiontimer.Refresh].Store(c.underWay)
		if got := g.opens(sessiontimer.Refresh, now).Sub(now); got != c.want {
			t.Errorf("%s: asked again after %v, want %v", c.name, got, c.want)
		}
	}
}

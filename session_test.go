package sessiontimer

import (
	"testing"
	"time"
)

// start is the moment of the 2xx in all tests.
var start = time.Date(2005, time.April, 1, 12, 0, 0, 0, time.UTC)

// since gives a moment as the time after the 2xx.
func since(t time.Time) time.Duration { return t.Sub(start) }

// TestTimingTable holds the times that follow from the formulas, in seconds after the 2xx.
func TestTimingTable(t *testing.T) {
	tests := []struct {
		name                                       string
		interval, refresh, hangup, timerF, expires int64
	}{
		{"F-01 SE 90", 90, 45, 60, 77, 90},
		{"F-01 SE 96", 96, 48, 64, 80, 96},
		{"F-01 SE 100", 100, 50, 68, 82, 100},
		{"F-01 SE 120", 120, 60, 88, 92, 120},
		{"F-01 SE 180", 180, 90, 148, 122, 180},
		{"F-01 SE 300", 300, 150, 268, 182, 300},
		{"F-01 SE 600", 600, 300, 568, 332, 600},
		{"F-01 SE 1800", 1800, 900, 1768, 932, 1800},
		{"F-01 SE 3600", 3600, 1800, 3568, 1832, 3600},
		{"I-08 SE 4000", 4000, 2000, 3968, 2032, 4000},
		{"F-01 SE 7200", 7200, 3600, 7168, 3632, 7200},
	}
	const timerF = 32 * time.Second // 64*T1: an unanswered refresh is given up
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ours := Session{Interval: seconds(tt.interval), Refresher: Local, Since: start}
			theirs := Session{Interval: seconds(tt.interval), Refresher: Peer, Since: start}
			if got := since(ours.RefreshAt()); got != seconds(tt.refresh) {
				t.Errorf("D-01: refresh after %v, should be %v", got, seconds(tt.refresh))
			}
			if got := since(theirs.HangupAt()); got != seconds(tt.hangup) {
				t.Errorf("F-01: who waits hangs up after %v, should be %v", got, seconds(tt.hangup))
			}
			if got := since(ours.RefreshAt().Add(timerF)); got != seconds(tt.timerF) {
				t.Errorf("F-03: an unanswered refresh ends after %v, should be %v", got, seconds(tt.timerF))
			}
			if got := since(ours.HangupAt()); got != seconds(tt.expires) {
				t.Errorf("F-21: the refresher hangs up after %v, should be %v", got, seconds(tt.expires))
			}
			for _, s := range []Session{ours, theirs} {
				if got := since(s.ExpiresAt()); got != seconds(tt.expires) {
					t.Errorf("expiry (%v refreshes) after %v, should be %v", s.Refresher, got, seconds(tt.expires))
				}
			}
		})
	}
}

func TestMargin(t *testing.T) {
	tests := []struct {
		name           string
		interval, want time.Duration
	}{
		{"F-01 a third below 96 s", seconds(90), 30 * time.Second},
		{"F-01 real division", seconds(95), 95 * time.Second / 3},
		{"F-01 both are equal at 96 s", seconds(96), 32 * time.Second},
		{"F-01 32 s above", seconds(97), 32 * time.Second},
		{"H-04 longest interval", seconds(maxDelta), 32 * time.Second},
		{"unsafe 3 s", seconds(3), time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Margin(tt.interval); got != tt.want {
				t.Errorf("margin of %v is %v, should be %v", tt.interval, got, tt.want)
			}
		})
	}
	s := Session{Interval: seconds(95), Refresher: Peer, Since: start}
	if got := since(s.HangupAt()).Round(time.Millisecond); got != 63333*time.Millisecond {
		t.Errorf("SE 95: who waits hangs up after %v, should be 63.333 s", got)
	}
}

// D-26: a refresh after this time finds that the peer has hung up.
func TestLastChance(t *testing.T) {
	for interval, want := range map[int64]time.Duration{
		90:   57 * time.Second,
		1800: 1764800 * time.Millisecond,
	} {
		s := Session{Interval: seconds(interval), Refresher: Local, Since: start}
		if got := since(s.LastChance()); got != want {
			t.Errorf("SE %d: last chance after %v, should be %v, a tenth of the margin before the peer hangs up", interval, got, want)
		}
	}
}

func TestActive(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    Session
		want bool
	}{
		{"we refresh", Session{Interval: Floor, Refresher: Local}, true},
		{"peer refreshes", Session{Interval: Floor, Refresher: Peer}, true},
		{"C-07 zero", Session{}, false},
		{"no interval", Session{Refresher: Local}, false},
		{"nobody", Session{Interval: Floor}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.s.Active(); got != tt.want {
				t.Errorf("%+v has a timer: %v, should be %v", tt.s, got, tt.want)
			}
		})
	}
}

func TestEqual(t *testing.T) {
	s := Session{Interval: seconds(1800), Refresher: Local, Since: start, RefreshAfter: seconds(300)}
	stored := s
	stored.Since = start.In(time.FixedZone("elsewhere", 3600))
	if !s.Equal(stored) || !stored.Equal(s) {
		t.Errorf("%+v and the same in another time zone differ, should be equal", s)
	}
	for name, change := range map[string]func(*Session){
		"interval":     func(s *Session) { s.Interval++ },
		"refresher":    func(s *Session) { s.Refresher = Peer },
		"since":        func(s *Session) { s.Since = s.Since.Add(1) },
		"RefreshAfter": func(s *Session) { s.RefreshAfter = 0 },
	} {
		other := s
		change(&other)
		if s.Equal(other) {
			t.Errorf("another %s is not noticed: %+v and %+v should differ", name, s, other)
		}
	}
}

func TestNext(t *testing.T) {
	ours := Session{Interval: seconds(1800), Refresher: Local, Since: start}
	theirs := Session{Interval: seconds(1800), Refresher: Peer, Since: start}
	early := Session{Interval: seconds(1800), Refresher: Local, Since: start, RefreshAfter: seconds(300)}
	tests := []struct {
		name      string
		s         Session
		after     time.Duration // of the 2xx
		attempted bool
		action    Action
		at        time.Duration
	}{
		{"D-01 refresh is next", ours, 0, false, Refresh, seconds(900)},
		{"D-01 refresh is due", ours, seconds(900), false, Refresh, seconds(900)},
		{"F-27 a late refresh is due at once", ours, seconds(1790), false, Refresh, seconds(900)},
		{"F-21 only the end is left", ours, seconds(900), true, Hangup, seconds(1800)},
		{"F-21 not a moment early", ours, seconds(1800) - 1, true, Hangup, seconds(1800)},
		{"F-27 expired while asleep", ours, seconds(1800), false, Hangup, seconds(1800)},
		{"F-27 expired long ago", ours, seconds(86400), false, Hangup, seconds(1800)},
		{"C-03 the peer refreshes, we wait", theirs, 0, false, Hangup, seconds(1768)},
		{"C-03 attempts are not ours", theirs, 0, true, Hangup, seconds(1768)},
		{"F-02 one second before is not the end", theirs, seconds(1767), false, Hangup, seconds(1768)},
		{"F-01 silence", theirs, seconds(1768), false, Hangup, seconds(1768)},
		{"C-12 earlier than half", early, 0, false, Refresh, seconds(300)},
		{"C-12 the end is that of the interval", early, seconds(300), true, Hangup, seconds(1800)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			action, at := tt.s.Next(start.Add(tt.after), tt.attempted)
			if action != tt.action || since(at) != tt.at {
				t.Errorf("%v after the 2xx: action %d at %v, should be %d at %v", tt.after, action, since(at), tt.action, tt.at)
			}
		})
	}
	for _, s := range []Session{{}, {Interval: Floor, Since: start}} {
		if action, at := s.Next(start.Add(24*time.Hour), false); action != Idle || !at.IsZero() {
			t.Errorf("C-07: %+v asks for action %d at %v, should be idle for ever", s, action, at)
		}
	}
}

package timerpage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// someStats are statistics in which each number is another one.
func someStats() *middleware.Stats {
	calls := middleware.CallStats{
		Dialogs:   middleware.ByRefresher{Local: 1, Peer: 2, None: 3},
		Incoming:  middleware.Negotiations{Local: 4, Peer: 5, None: 6, Refused: 7},
		Outgoing:  middleware.Negotiations{Local: 8, Peer: 9, None: 10, Refused: 11},
		Refreshed: middleware.BySender{Local: middleware.ByMethod[uint64]{Update: 12, Invite: 13}, Peer: middleware.ByMethod[uint64]{Update: 14, Invite: 15}},
		Failed: middleware.ByMethod[middleware.Failures]{
			Update: middleware.Failures{Status3xx: 16, Status4xx: 17, Status5xx: 18, Status6xx: 19, Unanswered: 20, Unsent: 21},
			Invite: middleware.Failures{Status3xx: 22, Status4xx: 23, Status5xx: 24, Status6xx: 25, Unanswered: 26, Unsent: 27},
		},
		Expired: map[sessiontimer.Cause]uint64{sessiontimer.CauseExpired: 28, sessiontimer.CauseNoACK: 29},
	}
	return &middleware.Stats{CallStats: calls, Named: map[string]middleware.CallStats{"": {Dialogs: middleware.ByRefresher{Local: 30}}, "north": calls},
		Refresher: refresher.Stats{Due: 31, Waiting: 32, Missed: 33, Byes: 34, Unanswered: 35,
			Lateness: refresher.Histogram{Counts: []uint64{36, 37}, Sum: 38 * time.Second}}}
}

// The tables have each number of the statistics where its row and column say.
func TestTables(t *testing.T) {
	row := func(name string, values ...uint64) counts { return counts{name, values} }
	want := []table{
		{"Calls now", []string{"we refresh", "the peer refreshes", "no timer"}, []counts{row("calls", 1, 2, 3)}},
		{"Negotiated", []string{"we refresh", "the peer", "no timer", "refused"}, []counts{row("incoming", 4, 5, 6, 7), row("outgoing", 8, 9, 10, 11)}},
		{"Refreshed", []string{"by UPDATE", "by re-INVITE"}, []counts{row("by us", 12, 13), row("by the peer", 14, 15)}},
		{"Refreshes of ours that failed", []string{"3xx", "4xx", "5xx", "6xx", "no answer", "not sent"},
			[]counts{row("UPDATE", 16, 17, 18, 19, 20, 21), row("re-INVITE", 22, 23, 24, 25, 26, 27)}},
		{"Calls that we cut", []string{"calls"}, []counts{row("nobody refreshed it in time", 28), row("the peer sent no ACK", 29)}},
		{"Waiting", []string{"refreshes due in 40 s", "for a place", "too late", "BYEs", "for an answer"}, []counts{row("now", 31, 32, 33, 34, 35)}},
		{"By name", []string{"calls", "refreshed", "failed", "cut"}, []counts{row("others", 30, 0, 0, 0), row("north", 6, 54, 258, 57)}},
	}
	if diff := cmp.Diff(want, tablesOf(someStats())); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	stats := someStats()
	stats.Named = nil
	if diff := cmp.Diff(want[:len(want)-1], tablesOf(stats)); diff != "" {
		t.Errorf("tables of calls without names (-want +got):\n%s", diff)
	}
}

// A sample has the sums of the statistics.
func TestSample(t *testing.T) {
	now := time.Now()
	want := sample{at: now, calls: 6, unanswered: 35, waiting: 65, refreshed: 54, failed: 258, expired: 57, late: 38 * time.Second, begun: 73}
	if got := sampleOf(someStats(), now); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Lines have a rate for what is counted, the latest value for what goes up and down, and the
// mean lateness of the refreshes between two samples. What is older than five minutes is
// left out, and after a time in which nobody looked a line begins anew.
func TestLines(t *testing.T) {
	begin := time.Now()
	at := func(d time.Duration, n int) sample {
		return sample{at: begin.Add(d), calls: n, unanswered: 2 * n, refreshed: uint64(4 * n), failed: uint64(6 * n), expired: uint64(8 * n),
			begun: uint64(4 * n), late: time.Duration(n) * time.Second}
	}
	samples := []sample{at(0, 0), at(2*time.Second, 1), at(4*time.Second, 4), at(time.Minute, 5), at(64*time.Second, 6)}
	type line struct {
		name, unit  string
		value, high float64
		points      []float64
	}
	read := func(now time.Duration) (lines []line) {
		for _, l := range linesOf(samples, at(now, 10)) {
			one := line{name: l.Name, unit: l.Unit, value: l.Value, high: l.High}
			for _, p := range l.Points {
				one.points = append(one.points, p.Value)
			}
			lines = append(lines, one)
		}
		return lines
	}
	for _, c := range []struct {
		now  time.Duration
		want []line
	}{
		{64 * time.Second, []line{
			{"calls", "", 6, 6, []float64{1, 4, 6}},
			{"refreshed", "a second", 1, 6, []float64{2, 6, 1}},
			{"refreshes failed", "a second", 1.5, 9, []float64{3, 9, 1.5}},
			{"calls cut", "a second", 2, 12, []float64{4, 12, 2}},
			{"awaiting an answer", "", 12, 12, []float64{2, 8, 12}},
			{"lateness", "ms", 250, 250, []float64{250, 250, 250}},
		}},
		{historyOf + 4*time.Second, []line{
			{"calls", "", 6, 6, []float64{4, 6}},
			{"refreshed", "a second", 1, 6, []float64{6, 1}},
			{"refreshes failed", "a second", 1.5, 9, []float64{9, 1.5}},
			{"calls cut", "a second", 2, 12, []float64{12, 2}},
			{"awaiting an answer", "", 12, 12, []float64{8, 12}},
			{"lateness", "ms", 250, 250, []float64{250, 250}},
		}},
		{time.Hour, []line{
			{"calls", "", 10, 0, nil}, {"refreshed", "a second", 0, 0, nil}, {"refreshes failed", "a second", 0, 0, nil},
			{"calls cut", "a second", 0, 0, nil}, {"awaiting an answer", "", 20, 0, nil}, {"lateness", "ms", 0, 0, nil},
		}},
	} {
		if diff := cmp.Diff(c.want, read(c.now), cmp.AllowUnexported(line{})); diff != "" {
			t.Errorf("lines at %v (-want +got):\n%s", c.now, diff)
		}
	}
}

// A line is drawn from the left to now at the right, with zero at the bottom and the highest
// value at the top, and with a gap where nobody looked.
func TestLineDrawn(t *testing.T) {
	now := time.Now()
	l := sparkline{High: 4, Value: 4, Points: []point{
		{now.Add(-historyOf), 0, true}, {now.Add(-historyOf / 2), 2, false}, {now.Add(-historyOf / 4), 3, true}, {now, 4, false},
	}}
	if got, want := l.Path(), "M0.0 46.0L150.0 24.0M225.0 13.0L300.0 2.0"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := (sparkline{Points: []point{{now, 0, false}}}).Path(); got != "M300.0 46.0" {
		t.Errorf("nothing but zero is %s", got)
	}
	for value, want := range map[float64]string{0: "0", 4: "4", 0.25: "0.2", 1234.56: "1234.6"} {
		l := sparkline{Value: value, High: value}
		if l.Text() != want || l.Top() != want {
			t.Errorf("%v is %s, %s at the top; want %s", value, l.Text(), l.Top(), want)
		}
	}
}

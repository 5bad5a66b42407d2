package timerpage

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// sample is a reading of the totals.
type sample struct {
	at                         time.Time
	calls, unanswered, waiting int
	refreshed, failed, expired uint64
	late                       time.Duration // sum of the lateness of all refreshes
	begun                      uint64        // those refreshes
}

func sampleOf(s *middleware.Stats, now time.Time) sample {
	out := sample{
		at: now, calls: s.Dialogs.Total(), unanswered: s.Refresher.Unanswered, waiting: s.Refresher.Waiting + s.Refresher.Missed,
		refreshed: refreshed(s.Refreshed), failed: failures(s.Failed.Update) + failures(s.Failed.Invite),
		late: s.Refresher.Lateness.Sum, begun: s.Refresher.Lateness.Count(),
	}
	for _, n := range s.Expired {
		out.expired += n
	}
	return out
}

func refreshed(r middleware.BySender) uint64 {
	return r.Local.Update + r.Local.Invite + r.Peer.Update + r.Peer.Invite
}

func failures(f middleware.Failures) uint64 {
	return f.Status3xx + f.Status4xx + f.Status5xx + f.Status6xx + f.Unanswered + f.Unsent
}

// totalsView are counts and rates.
type totalsView struct {
	Now    time.Time   `json:"now"`
	Lines  []sparkline `json:"lines"`
	Tables []table     `json:"tables"`
	Always bool        `json:"-"` // sparklines are drawn even while no page is open
}

// sparkline is a figure over the last five minutes.
type sparkline struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit,omitempty"`
	Value  float64 `json:"value"`
	Points []point `json:"points"` // one every two seconds while somebody looks
	High   float64 `json:"high"`   // of Points
}

type point struct {
	At    time.Time `json:"at"`
	Value float64   `json:"value"`
	first bool      // after a time in which nobody looked
}

// The size of a sparkline.
const lineWidth, lineHeight = 300, 48

// Path draws it: the time goes right, up to now, and zero is at the bottom.
func (l sparkline) Path() string {
	var b strings.Builder
	for _, p := range l.Points {
		op := "L"
		if p.first || b.Len() == 0 {
			op = "M"
		}
		left := l.Points[len(l.Points)-1].At.Sub(p.At)
		x := lineWidth - float64(lineWidth)*left.Seconds()/historyOf.Seconds()
		y := lineHeight - 2 - (lineHeight-4)*p.Value/max(l.High, 1e-9)
		fmt.Fprintf(&b, "%s%.1f %.1f", op, x, y)
	}
	return b.String()
}

// Text is its value.
func (l sparkline) Text() string {
	if l.Value == float64(int(l.Value)) {
		return fmt.Sprintf("%.0f", l.Value)
	}
	return fmt.Sprintf("%.1f", l.Value)
}

// Top is the value at its top.
func (l sparkline) Top() string { return sparkline{Value: l.High}.Text() }

// table is a list of counts.
type table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    []counts `json:"rows"`
}

type counts struct {
	Name   string   `json:"name"`
	Values []uint64 `json:"values"` // one for each column
}

func (p *Page) totalsView() totalsView {
	now, stats := time.Now(), p.timers.Stats()
	return totalsView{now, linesOf(p.history.sampled(), sampleOf(&stats, now)), tablesOf(&stats), p.history.always}
}

func linesOf(samples []sample, now sample) []sparkline {
	rate := func(of func(sample) uint64) func(a, b sample) float64 {
		return func(a, b sample) float64 {
			return float64(of(b)-of(a)) / max(b.at.Sub(a.at).Seconds(), 0.001)
		}
	}
	gauge := func(of func(sample) int) func(a, b sample) float64 {
		return func(_, b sample) float64 { return float64(of(b)) }
	}
	return []sparkline{
		lineOf("calls", "", samples, now, gauge(func(s sample) int { return s.calls })),
		lineOf("refreshed", "a second", samples, now, rate(func(s sample) uint64 { return s.refreshed })),
		lineOf("refreshes failed", "a second", samples, now, rate(func(s sample) uint64 { return s.failed })),
		lineOf("calls cut", "a second", samples, now, rate(func(s sample) uint64 { return s.expired })),
		lineOf("awaiting an answer", "", samples, now, gauge(func(s sample) int { return s.unanswered })),
		lineOf("lateness", "ms", samples, now, func(a, b sample) float64 {
			return float64((b.late - a.late).Milliseconds()) / max(1, float64(b.begun-a.begun))
		}),
	}
}

// lineOf makes a figure of each two samples that follow each other.
func lineOf(name, unit string, samples []sample, now sample, of func(a, b sample) float64) sparkline {
	l := sparkline{Name: name, Unit: unit, Points: []point{}}
	first := true
	for i, b := range samples {
		if now.at.Sub(b.at) > historyOf {
			continue
		}
		if i == 0 || b.at.Sub(samples[i-1].at) > 2*sampleEvery {
			first = true
			continue
		}
		v := of(samples[i-1], b)
		l.Points, l.High, l.Value = append(l.Points, point{b.at, v, first}), max(l.High, v), v
		first = false
	}
	if len(l.Points) == 0 {
		l.Value = of(now, now)
	}
	return l
}

func tablesOf(s *middleware.Stats) []table {
	f := func(f middleware.Failures) []uint64 {
		return []uint64{f.Status3xx, f.Status4xx, f.Status5xx, f.Status6xx, f.Unanswered, f.Unsent}
	}
	n := func(n middleware.Negotiations) []uint64 { return []uint64{n.Local, n.Peer, n.None, n.Refused} }
	tables := []table{
		{"Calls now", []string{"we refresh", "the peer refreshes", "no timer"},
			[]counts{{"calls", []uint64{uint64(s.Dialogs.Local), uint64(s.Dialogs.Peer), uint64(s.Dialogs.None)}}}},
		{"Negotiated", []string{"we refresh", "the peer", "no timer", "refused"},
			[]counts{{"incoming", n(s.Incoming)}, {"outgoing", n(s.Outgoing)}}},
		{"Refreshed", []string{"by UPDATE", "by re-INVITE"},
			[]counts{{"by us", []uint64{s.Refreshed.Local.Update, s.Refreshed.Local.Invite}}, {"by the peer", []uint64{s.Refreshed.Peer.Update, s.Refreshed.Peer.Invite}}}},
		{"Refreshes of ours that failed", []string{"3xx", "4xx", "5xx", "6xx", "no answer", "not sent"},
			[]counts{{"UPDATE", f(s.Failed.Update)}, {"re-INVITE", f(s.Failed.Invite)}}},
		expiredTable(s),
		{"Waiting", []string{"refreshes due in 40 s", "for a place", "too late", "BYEs", "for an answer"},
			[]counts{{"now", []uint64{uint64(s.Refresher.Due), uint64(s.Refresher.Waiting), uint64(s.Refresher.Missed), uint64(s.Refresher.Byes), uint64(s.Refresher.Unanswered)}}}},
	}
	if len(s.Named) > 0 {
		tables = append(tables, namedTable(s))
	}
	return tables
}

func expiredTable(s *middleware.Stats) table {
	t := table{"Calls that we cut", []string{"calls"}, nil}
	for _, cause := range slices.Sorted(maps.Keys(s.Expired)) {
		t.Rows = append(t.Rows, counts{causeText(cause), []uint64{s.Expired[cause]}})
	}
	return t
}

func namedTable(s *middleware.Stats) table {
	t := table{"By name", []string{"calls", "refreshed", "failed", "cut"}, nil}
	for _, name := range slices.Sorted(maps.Keys(s.Named)) {
		c := s.Named[name]
		one := sampleOf(&middleware.Stats{CallStats: c}, time.Time{})
		if name == "" {
			name = "others"
		}
		t.Rows = append(t.Rows, counts{name, []uint64{uint64(one.calls), one.refreshed, one.failed, one.expired}})
	}
	return t
}

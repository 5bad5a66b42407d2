package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	full := report{
		plan:    plan{config: &config{calls: 1000, arrivals: 10, outage: 2 * time.Second, limit: 5000}, interval: 10 * time.Second},
		setUp:   time.Second,
		atFirst: 20_000, atEnd: 25_000,
		spent:    spent{time: 4 * time.Second, cpu: time.Second, gcShare: 0.125},
		lateness: []time.Duration{0, time.Millisecond, time.Millisecond, 2 * time.Millisecond},
		held:     1040, lost: 2, failed: 3,
		unanswered: 7, begun: 2 * time.Second, recovered: 4 * time.Second,
		samples: []sample{{at: time.Second, refreshes: 99, goroutines: 99}, {at: 3 * time.Second, refreshes: 20, goroutines: 12}, {at: 5 * time.Second, refreshes: 15, goroutines: 8}},
	}
	empty := report{plan: plan{config: &config{calls: 1000, split: true}, interval: time.Hour, stubbed: true},
		atFirst: 900, spent: spent{time: time.Second, gcShare: -1}, held: 1000}
	broken := report{plan: plan{config: &config{calls: 1000, split: true}}, atFirst: 20_000, atEnd: 25_000, dropped: 1000}
	if got := broken.memory(); got != "20,000 bytes a call once set up, the refreshing end" {
		t.Errorf("memory after calls were dropped: %s", got)
	}
	for _, c := range []struct {
		report report
		want   string
	}{
		{full, `calls held        1,040 calls of sipgo
arrivals          40 of those calls, and 2 that could not be set up
interval          10s, refreshed by us
set up in         1.0 s
measured for      4.0 s
refreshes         4, 1 a second, 20 in the busiest
outage            2s; 7 refreshes unanswered at most, 15 in the busiest second after it; -limit is 5,000
lateness p50      1.00 ms
lateness p99      2.00 ms
lateness max      2.00 ms
CPU per refresh   250000 µs, both ends, setting up the arrivals included, sending again included
of which GC       12.5 %
memory            20,000 bytes a call once set up, 25,000 at the end, both ends
goroutines        12 at most
refreshes failed  3
calls dropped     0
`},
		{empty, `calls held        1,000 stub dialogs
interval          1h0m0s, refreshed by us
set up in         0.0 s
measured for      1.0 s
refreshes         0, 0 a second, 0 in the busiest
lateness p50      -
lateness p99      -
lateness max      -
CPU per refresh   -
of which GC       -, no collection ended
memory            900 bytes a call once set up, of the timers alone
goroutines        0 at most
refreshes failed  0
calls dropped     0
`},
	} {
		var got strings.Builder
		c.report.print(&got)
		if diff := cmp.Diff(c.want, got.String()); diff != "" {
			t.Errorf("table (-want +got):\n%s", diff)
		}
	}
}

func TestProgress(t *testing.T) {
	for want, s := range map[string]sample{
		" 10 s: 1,000 calls": {at: 10 * time.Second, calls: 1000},
		"105 s: 1,000 calls, 20 refreshes in the last second, p99 1.50 ms late": {at: 105 * time.Second, calls: 1000, refreshes: 20, p99: 1500 * time.Microsecond},
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

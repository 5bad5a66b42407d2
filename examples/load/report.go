package main

import (
	"fmt"
	"io"
	"time"
)

// report is what a run found.
type report struct {
	plan         plan
	setUp        time.Duration
	bytesPerCall int64
	spent        spent
	lateness     []time.Duration // sorted
	held         int
	failed       int
	dropped      int
	unanswered   int           // refreshes, at most
	begun        time.Duration // when measuring began, as in the samples
	recovered    time.Duration // when the outage was over, likewise
	samples      []sample
}

// print writes the table.
func (r *report) print(w io.Writer) {
	n := len(r.lateness)
	perRefresh := "-"
	if n > 0 {
		perRefresh = fmt.Sprintf("%d µs%s", (r.spent.cpu / time.Duration(n)).Microseconds(), r.ends())
	}
	busiest, goroutines := most(r.samples, r.begun)
	for _, row := range [][2]string{
		{"calls held", number(r.held) + " " + r.kind()},
		{"interval", fmt.Sprintf("%v, refreshed by us", r.plan.interval)},
		{"set up in", seconds(r.setUp)},
		{"measured for", seconds(r.spent.time)},
		{"refreshes", fmt.Sprintf("%s, %s a second, %s in the busiest", number(n), number(int(float64(n)/r.spent.time.Seconds())), number(busiest))},
		{"outage", r.outage()},
		{"lateness p50", millis(percentile(r.lateness, 50))},
		{"lateness p99", millis(percentile(r.lateness, 99))},
		{"lateness max", millis(percentile(r.lateness, 100))},
		{"CPU per refresh", perRefresh},
		{"memory", number(int(r.bytesPerCall)) + " bytes a call" + r.memoryOf()},
		{"goroutines", number(goroutines) + " at most"},
		{"GC", fmt.Sprintf("%.1f %% of the CPU time", 100*r.spent.gcShare)},
		{"refreshes failed", number(r.failed)},
		{"calls dropped", number(r.dropped)},
	} {
		if row[1] != "" {
			_, _ = fmt.Fprintf(w, "%-18s%s\n", row[0], row[1])
		}
	}
}

func (r *report) kind() string {
	if r.plan.stubbed {
		return "stub dialogs"
	}
	return "calls of sipgo"
}

// ends says whose CPU time is counted.
func (r *report) ends() string {
	if r.plan.split {
		return ", the refreshing end"
	}
	return ", both ends"
}

func (r *report) memoryOf() string {
	switch {
	case r.plan.stubbed:
		return ", what is measured of it included"
	case r.plan.split:
		return ", sipgo's sessions included"
	}
	return ", both ends, sipgo's sessions included"
}

// outage is empty if there was none. What was due meanwhile and may not start at
// once makes the seconds after it busy.
func (r *report) outage() string {
	if r.plan.outage == 0 {
		return ""
	}
	busiest, _ := most(r.samples, r.recovered)
	return fmt.Sprintf("%v; %s refreshes unanswered at most, %s in the busiest second after it; -limit is %s",
		r.plan.outage, number(r.unanswered), number(busiest), number(r.plan.limit))
}

// most are the refreshes of the busiest second that ends after from, and the most
// goroutines at the end of one.
func most(samples []sample, from time.Duration) (refreshes, goroutines int) {
	for _, s := range samples {
		if s.at > from {
			refreshes, goroutines = max(refreshes, s.refreshes), max(goroutines, s.goroutines)
		}
	}
	return refreshes, goroutines
}

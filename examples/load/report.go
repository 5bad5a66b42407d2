package main

import (
	"fmt"
	"io"
	"strconv"
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
	samples      []sample
}

// print writes the table.
func (r *report) print(w io.Writer) {
	n := len(r.lateness)
	perRefresh := "-"
	if n > 0 {
		perRefresh = fmt.Sprintf("%d µs%s", (r.spent.cpu / time.Duration(n)).Microseconds(), r.ends())
	}
	busiest, goroutines := r.most()
	for _, row := range [][2]string{
		{"calls held", number(r.held) + " " + r.kind()},
		{"interval", fmt.Sprintf("%v, refreshed by us", r.plan.interval)},
		{"set up in", seconds(r.setUp)},
		{"measured for", seconds(r.spent.time)},
		{"refreshes", fmt.Sprintf("%s, %s a second, %s in the busiest", number(n), number(int(float64(n)/r.spent.time.Seconds())), number(busiest))},
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
		_, _ = fmt.Fprintf(w, "%-18s%s\n", row[0], row[1])
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

// most is the busiest second of the run, and the most goroutines.
func (r *report) most() (refreshes, goroutines int) {
	for _, s := range r.samples {
		refreshes, goroutines = max(refreshes, s.refreshes), max(goroutines, s.goroutines)
	}
	return refreshes, goroutines
}

// number prints 1,234,567.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func size(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func millis(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }

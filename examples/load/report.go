package main

import (
	"fmt"
	"io"
	"time"
)

// report is the result of a run.
type report struct {
	plan       plan
	setUp      time.Duration
	atFirst    int64 // bytes of memory per call, when all were set up
	atEnd      int64
	spent      spent
	lateness   []time.Duration // sorted
	held       int
	lost       int // calls that could not be set up
	failed     int
	dropped    int
	unanswered int           // the most unanswered refreshes
	begun      time.Duration // when measuring began, as in the samples
	recovered  time.Duration // when the outage was over, likewise
	samples    []sample
}

// print writes the table.
func (r *report) print(w io.Writer) {
	n := len(r.lateness)
	busiest, goroutines := most(r.samples, r.begun)
	for _, row := range [][2]string{
		{"calls held", number(r.held) + " " + r.kind()},
		{"arrivals", r.arrivals()},
		{"interval", fmt.Sprintf("%v, refreshed by us", r.plan.interval)},
		{"set up in", seconds(r.setUp)},
		{"measured for", seconds(r.spent.time)},
		{"refreshes", fmt.Sprintf("%s, %s a second, %s in the busiest", number(n), number(int(float64(n)/r.spent.time.Seconds())), number(busiest))},
		{"outage", r.outage()},
		{"lateness p50", r.late(50)},
		{"lateness p99", r.late(99)},
		{"lateness max", r.late(100)},
		{"CPU per refresh", r.perRefresh()},
		{"of which GC", r.collection()},
		{"memory", r.memory()},
		{"goroutines", number(goroutines) + " at most"},
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

// arrivals is empty without -arrivals.
func (r *report) arrivals() string {
	if r.plan.arrivals == 0 {
		return ""
	}
	return fmt.Sprintf("%s of those calls, and %s that could not be set up", number(r.held+r.dropped-r.plan.calls), number(r.lost))
}

func (r *report) late(p float64) string {
	if len(r.lateness) == 0 {
		return "-"
	}
	return millis(percentile(r.lateness, p))
}

// perRefresh describes the CPU time per refresh, and what it includes.
func (r *report) perRefresh() string {
	if len(r.lateness) == 0 {
		return "-"
	}
	text := fmt.Sprintf("%d µs, %s", (r.spent.cpu / time.Duration(len(r.lateness))).Microseconds(), r.ends())
	if r.plan.arrivals > 0 {
		text += ", setting up the arrivals included"
	}
	if r.plan.outage > 0 {
		text += ", sending again included"
	}
	return text
}

func (r *report) collection() string {
	if r.spent.gcShare < 0 {
		return "-, no collection ended"
	}
	return fmt.Sprintf("%.1f %%", 100*r.spent.gcShare)
}

// ends names the ends whose CPU time and memory are counted.
func (r *report) ends() string {
	if r.plan.split {
		return "the refreshing end"
	}
	return "both ends"
}

// memory omits the figure of the end if calls were dropped, because dropped calls leave
// memory behind.
func (r *report) memory() string {
	text := number(int(r.atFirst)) + " bytes a call once set up"
	switch {
	case r.plan.stubbed:
		return text + ", of the timers alone"
	case r.dropped == 0:
		text += ", " + number(int(r.atEnd)) + " at the end"
	}
	return text + ", " + r.ends()
}

// outage is empty if there was none. The refreshes that were held back make the seconds
// after it busy.
func (r *report) outage() string {
	if r.plan.outage == 0 {
		return ""
	}
	busiest, _ := most(r.samples, r.recovered)
	return fmt.Sprintf("%v; %s refreshes unanswered at most, %s in the busiest second after it; -limit is %s",
		r.plan.outage, number(r.unanswered), number(busiest), number(r.plan.limit))
}

// most returns the refreshes of the busiest second that ends after from, and the most
// goroutines at the end of one.
func most(samples []sample, from time.Duration) (refreshes, goroutines int) {
	for _, s := range samples {
		if s.at > from {
			refreshes, goroutines = max(refreshes, s.refreshes), max(goroutines, s.goroutines)
		}
	}
	return refreshes, goroutines
}

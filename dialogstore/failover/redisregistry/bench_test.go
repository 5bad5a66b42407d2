package redisregistry_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Each operation is one call, in batches as a node makes them. The other figures are what
// the server says of itself: its time and its memory for each.

func BenchmarkPutNew(b *testing.B) {
	s := startServer(b)
	r := s.registry()
	before := s.info("memory", "used_memory")
	all := calls(b.N, 1)
	cost := s.cost(b)
	for batch := range batches(b.N, 500) {
		mustPut(b, r, alice, all[batch[0]:batch[1]]...)
	}
	cost(b.N, "op")
	b.ReportMetric((s.info("memory", "used_memory")-before)/float64(b.N), "server-B/call")
}

func BenchmarkPutRefreshed(b *testing.B) {
	s := startServer(b)
	r := s.registry()
	all := calls(1000, 1)
	mustPut(b, r, alice, all...)
	next := calls(1000, 2)
	cost := s.cost(b)
	for i, batch := range pages(b.N, 500) {
		for j := range next {
			next[j].Dialog.Version = uint64(i + 2)
		}
		mustPut(b, r, alice, next[:batch]...)
	}
	cost(b.N, "op")
}

func BenchmarkClaim(b *testing.B) {
	s := startServer(b)
	r := s.registry()
	all := calls(b.N, 1)
	mustPut(b, r, alice, all...)
	keys := keysOf(all)
	cost := s.cost(b)
	for batch := range batches(b.N, 200) {
		mustClaim(b, r, bob, alice, keys[batch[0]:batch[1]]...)
	}
	cost(b.N, "op")
}

// BenchmarkOwned lists the first 1024 of 100 thousand calls, as a claimer does.
func BenchmarkOwned(b *testing.B) {
	s := startServer(b)
	r := s.registry()
	all := calls(100_000, 1)
	for batch := range batches(len(all), 500) {
		mustPut(b, r, alice, all[batch[0]:batch[1]]...)
	}
	cost := s.cost(b)
	for b.Loop() {
		if held, err := r.Owned(b.Context(), alice, 1024); err != nil || len(held) != 1024 {
			b.Fatal(len(held), err)
		}
	}
	cost(b.N, "op")
}

// batches yields the bounds of batches.
func batches(n, size int) func(yield func([2]int) bool) {
	return func(yield func([2]int) bool) {
		for at := 0; at < n && yield([2]int{at, min(n, at+size)}); at += size {
		}
	}
}

// pages is the sizes of batches.
func pages(n, size int) (sizes []int) {
	for batch := range batches(n, size) {
		sizes = append(sizes, batch[1]-batch[0])
	}
	return sizes
}

// cost starts the timer. The function that it returns stops it, and reports what the
// server has had to do for each of n: scripts, its time, and bytes in both directions.
func (s *server) cost(b *testing.B) (report func(n int, unit string)) {
	figures := map[string]func() float64{
		"scripts":    s.scripts,
		"server-µs":  s.processor,
		"sent-B":     func() float64 { return s.info("stats", "total_net_input_bytes") },
		"received-B": func() float64 { return s.info("stats", "total_net_output_bytes") },
	}
	before := make(map[string]float64)
	for name, figure := range figures {
		before[name] = figure()
	}
	b.ResetTimer()
	return func(n int, unit string) {
		b.StopTimer()
		for name, figure := range figures {
			b.ReportMetric((figure()-before[name])/float64(n), name+"/"+unit)
		}
	}
}

// processor is what the server has used of it, in µs.
func (s *server) processor() float64 {
	return 1e6 * (s.info("cpu", "used_cpu_user") + s.info("cpu", "used_cpu_sys"))
}

// scripts is how many the server has run.
func (s *server) scripts() (n float64) {
	text, _ := s.do("INFO", "commandstats").(string)
	for line := range strings.Lines(text) {
		var calls float64
		if _, err := fmt.Sscanf(line, "cmdstat_evalsha:calls=%g,", &calls); err == nil {
			n += calls
		}
	}
	return n
}

// info returns a figure of INFO.
func (s *server) info(section, name string) float64 {
	s.t.Helper()
	text, _ := s.do("INFO", section).(string)
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	s.t.Fatalf("INFO %s has no %s", section, name)
	return 0
}

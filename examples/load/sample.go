package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync"
	"time"
)

// sample is one second of a run.
type sample struct {
	at            time.Duration // since the run began
	calls         int
	refreshes     int
	p50, p99, max time.Duration // lateness
	goroutines    int
	heap          uint64 // bytes of objects
}

// sampleEverySecond records a sample every second and prints progress, until stop is
// called, which returns the samples.
func (l *load) sampleEverySecond() (stop func() []sample) {
	var samples []sample
	done, over := make(chan struct{}), make(chan struct{})
	tick := time.NewTicker(time.Second)
	go func() {
		defer close(over)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-done:
				return
			}
			s := l.sampleNow(time.Since(l.began))
			samples = append(samples, s)
			if len(samples)%5 == 0 {
				l.cmd.Say("%v", s)
			}
		}
	}()
	var once sync.Once
	return func() []sample {
		once.Do(func() { close(done) })
		<-over
		return samples
	}
}

// String is a line of progress.
func (s sample) String() string {
	text := fmt.Sprintf("%3.0f s: %s calls", s.at.Seconds(), number(s.calls))
	if s.refreshes == 0 {
		return text
	}
	return text + fmt.Sprintf(", %s refreshes in the last second, p99 %s late", number(s.refreshes), millis(s.p99))
}

func (l *load) sampleNow(at time.Duration) sample {
	sent := l.late.sample()
	return sample{
		at:         at,
		calls:      int(l.held.Load()),
		refreshes:  len(sent),
		p50:        percentile(sent, 50),
		p99:        percentile(sent, 99),
		max:        percentile(sent, 100),
		goroutines: runtime.NumGoroutine(),
		heap:       uint64(read("/memory/classes/heap/objects:bytes")),
	}
}

// read returns the current value of a metric of the runtime.
func read(name string) float64 {
	m := []metrics.Sample{{Name: name}}
	metrics.Read(m)
	if m[0].Value.Kind() == metrics.KindUint64 {
		return float64(m[0].Value.Uint64())
	}
	return m[0].Value.Float64()
}

// writeCSV writes a line for each sample.
func writeCSV(w io.Writer, samples []sample) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"second", "calls", "refreshes", "p50_ms", "p99_ms", "max_ms", "goroutines", "heap_bytes"})
	ms := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds()*1000, 'f', 3, 64) }
	for _, s := range samples {
		_ = out.Write([]string{strconv.FormatFloat(s.at.Seconds(), 'f', 1, 64), strconv.Itoa(s.calls), strconv.Itoa(s.refreshes),
			ms(s.p50), ms(s.p99), ms(s.max), strconv.Itoa(s.goroutines), strconv.FormatUint(s.heap, 10)})
	}
	out.Flush()
	return out.Error()
}

// save writes the files of -data and -plot.
func (r *report) save(cfg *config) error {
	for _, file := range []struct {
		name  string
		write func(io.Writer, []sample) error
	}{{cfg.data, writeCSV}, {cfg.plot, writeSVG}} {
		if file.name == "" {
			continue
		}
		f, err := os.Create(file.name)
		if err != nil {
			return err
		}
		err = file.write(f, r.samples)
		if closing := f.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return err
		}
	}
	return nil
}

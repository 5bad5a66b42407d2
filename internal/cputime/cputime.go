// Package cputime measures the processor time of this process, for benchmarks: unlike a
// rate, it hardly depends on what else the machine does.
package cputime

import (
	"testing"
	"time"
)

// Report adds what a benchmark has used since start, per operation, to its figures. It
// adds nothing on systems that do not tell.
func Report(b *testing.B, start time.Duration) {
	b.Helper()
	if spent := Used() - start; spent > 0 {
		b.ReportMetric(float64(spent)/float64(b.N), "cpu-ns/op")
	}
}

package promtimer

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Each cause of a hang-up has a label of its own, and one that a later version adds has one
// too.
func TestCauses(t *testing.T) {
	for cause, want := range map[sessiontimer.Cause]string{
		sessiontimer.CauseExpired:           "expired",
		sessiontimer.CauseRefreshAnswered:   "refresh_answered",
		sessiontimer.CauseRefreshUnanswered: "refresh_unanswered",
		sessiontimer.CauseNoACK:             "no_ack",
		sessiontimer.CauseDialogClosed:      "dialog_closed",
		sessiontimer.CauseTakenOver:         "taken_over",
		200:                                 "other",
	} {
		if got := causeOf(cause); got != want {
			t.Errorf("%v is %q, want %q", cause, got, want)
		}
	}
}

// only collects one metric.
type only struct{ metric prometheus.Metric }

// Describe implements prometheus.Collector.
func (o only) Describe(ch chan<- *prometheus.Desc) { ch <- o.metric.Desc() }

// Collect implements prometheus.Collector.
func (o only) Collect(ch chan<- prometheus.Metric) { ch <- o.metric }

// The gauges of a node whose registry answers, does not, and has never answered.
func TestNodeGauges(t *testing.T) {
	for _, c := range []struct {
		stats    middleware.NodeStats
		degraded float64
		leaseAge float64 // negative for none
	}{
		{middleware.NodeStats{LeaseAge: 1500 * time.Millisecond}, 0, 1.5},
		{middleware.NodeStats{LeaseAge: 0}, 0, 0},
		{middleware.NodeStats{LeaseAge: -1, Degraded: true}, 1, -1},
	} {
		m, ch := newMetrics(""), make(chan prometheus.Metric, 100)
		m.node(output{ch}, &c.stats)
		close(ch)
		degraded, leaseAge := -1.0, -1.0
		for metric := range ch {
			switch metric.Desc() {
			case m.degraded:
				degraded = testutil.ToFloat64(only{metric})
			case m.leaseAge:
				leaseAge = testutil.ToFloat64(only{metric})
			}
		}
		if degraded != c.degraded || leaseAge != c.leaseAge {
			t.Errorf("%+v: degraded %v, lease age %v; want %v and %v", c.stats, degraded, leaseAge, c.degraded, c.leaseAge)
		}
	}
}

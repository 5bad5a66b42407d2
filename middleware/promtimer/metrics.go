package promtimer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// metrics describes all metrics.
type metrics struct {
	dialogs, negotiations, interval, refreshes, failures, expired *prometheus.Desc
	duration, lateness, slack, retries422, queue, unanswered      *prometheus.Desc
	nodes, owned, leaseAge, degraded, takeovers, delay, fenced    *prometheus.Desc

	all []*prometheus.Desc
}

func newMetrics(label string) (m metrics) {
	add := func(name, help string, labels ...string) *prometheus.Desc {
		d := prometheus.NewDesc("sessiontimer_"+name, help, labels, nil)
		m.all = append(m.all, d)
		return d
	}
	ofCalls := func(name, help string, labels ...string) *prometheus.Desc {
		if label != "" {
			labels = append(labels, label)
		}
		return add(name, help, labels...)
	}
	m.dialogs = ofCalls("dialogs", "Dialogs that exist now, by who refreshes them.", "refresher")
	m.negotiations = ofCalls("negotiations_total", "First INVITEs, by who refreshes the call, or refused because of the timer.", "direction", "result")
	m.refreshes = ofCalls("refreshes_total", "Accepted refreshes, by who sent them.", "by", "method")
	m.failures = ofCalls("refresh_failures_total", "Refreshes sent by the timers that got no 2xx, by class of the response or reason for its absence.", "method", "class")
	m.expired = ofCalls("expired_total", "Calls that the timers hung up, by cause.", "cause")

	m.interval = add("interval_seconds", "Session intervals negotiated by first INVITEs.")
	m.retries422 = add("retries_422_total", "Our requests that were sent again after a 422.")
	m.duration = add("refresh_duration_seconds", "Time from the start of a refresh to its final response.")
	m.lateness = add("refresh_lateness_seconds", "Time from when a refresh was due to its start.")
	m.slack = add("refresh_slack_seconds", "Time from the 2xx of a refresh to the last chance for it; 0 if that had passed.")
	m.queue = add("queue", "Calls due within 40 s, refreshes and BYEs waiting for a place, missed refreshes, and calls not yet written to the registry.", "queue")
	m.unanswered = add("unanswered", "Refreshes waiting for their response.")

	m.nodes = add("nodes", "Live nodes, as seen by this one.")
	m.owned = add("owned", "Calls that this node owns.")
	m.leaseAge = add("lease_age_seconds", "Time since the last heartbeat that the registry answered.")
	m.degraded = add("degraded", "1 while the registry is unreachable, else 0.")
	m.takeovers = add("takeovers_total", "Calls taken over from other nodes, by outcome.", "outcome")
	m.delay = add("takeover_delay_seconds", "Time from when the former owner of a call was last seen alive to its takeover.")
	m.fenced = add("fenced_total", "Calls released because another node owns them, by how this node noticed.", "by")
	return m
}

// calls writes the metrics of all calls, or of the calls with one name, which is then the last
// label.
func (m *metrics) calls(o output, s *middleware.CallStats, name ...string) {
	with := func(labels ...string) []string { return append(labels, name...) }
	o.gauge(m.dialogs, s.Dialogs.Local, with("local")...)
	o.gauge(m.dialogs, s.Dialogs.Peer, with("peer")...)
	o.gauge(m.dialogs, s.Dialogs.None, with("none")...)
	for direction, n := range map[string]middleware.Negotiations{"incoming": s.Incoming, "outgoing": s.Outgoing} {
		o.counter(m.negotiations, n.Local, with(direction, "local")...)
		o.counter(m.negotiations, n.Peer, with(direction, "peer")...)
		o.counter(m.negotiations, n.None, with(direction, "none")...)
		o.counter(m.negotiations, n.Refused, with(direction, "refused")...)
	}
	for by, n := range map[string]middleware.ByMethod[uint64]{"local": s.Refreshed.Local, "peer": s.Refreshed.Peer} {
		o.counter(m.refreshes, n.Update, with(by, "UPDATE")...)
		o.counter(m.refreshes, n.Invite, with(by, "INVITE")...)
	}
	for method, n := range map[string]middleware.Failures{"UPDATE": s.Failed.Update, "INVITE": s.Failed.Invite} {
		o.counter(m.failures, n.Status3xx, with(method, "3xx")...)
		o.counter(m.failures, n.Status4xx, with(method, "4xx")...)
		o.counter(m.failures, n.Status5xx, with(method, "5xx")...)
		o.counter(m.failures, n.Status6xx, with(method, "6xx")...)
		o.counter(m.failures, n.Unanswered, with(method, "unanswered")...)
		o.counter(m.failures, n.Unsent, with(method, "unsent")...)
	}
	for cause, n := range s.Expired {
		o.counter(m.expired, n, with(causeOf(cause))...)
	}
}

// causeOf is the value of a label.
func causeOf(c sessiontimer.Cause) string {
	switch c {
	case sessiontimer.CauseExpired:
		return "expired"
	case sessiontimer.CauseRefreshAnswered:
		return "refresh_answered"
	case sessiontimer.CauseRefreshUnanswered:
		return "refresh_unanswered"
	case sessiontimer.CauseNoACK:
		return "no_ack"
	case sessiontimer.CauseDialogClosed:
		return "dialog_closed"
	case sessiontimer.CauseTakenOver:
		return "taken_over"
	}
	return "other"
}

// times writes the metrics that are not counted by name.
func (m *metrics) times(o output, s *middleware.Stats) {
	r := &s.Refresher
	o.histogram(m.interval, &s.Intervals)
	o.counter(m.retries422, s.Retries422)
	o.histogram(m.duration, &r.Duration)
	o.histogram(m.lateness, &r.Lateness)
	o.histogram(m.slack, &r.Slack)
	o.gauge(m.queue, r.Due, "due")
	o.gauge(m.queue, r.Waiting, "waiting")
	o.gauge(m.queue, r.Missed, "missed")
	o.gauge(m.queue, r.Byes, "byes")
	o.gauge(m.unanswered, r.Unanswered)
}

func (m *metrics) node(o output, n *middleware.NodeStats) {
	o.gauge(m.nodes, n.Nodes)
	o.gauge(m.owned, n.Owned)
	o.gauge(m.queue, n.Waiting, "registry")
	if n.LeaseAge >= 0 {
		o.send(m.leaseAge, prometheus.GaugeValue, n.LeaseAge.Seconds())
	}
	degraded := 0
	if n.Degraded {
		degraded = 1
	}
	o.gauge(m.degraded, degraded)
	o.counter(m.takeovers, n.Kept, "kept")
	o.counter(m.takeovers, n.Ended, "ended")
	o.counter(m.takeovers, n.Refused, "refused")
	o.histogram(m.delay, &n.Delay)
	o.counter(m.fenced, n.FencedByRegistry, "registry")
	o.counter(m.fenced, n.FencedByLease, "lease")
	o.counter(m.fenced, n.FencedByPeer, "peer")
}

// output is the destination of a scrape.
type output struct{ ch chan<- prometheus.Metric }

func (o output) send(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
	o.ch <- prometheus.MustNewConstMetric(d, kind, v, labels...)
}

func (o output) gauge(d *prometheus.Desc, n int, labels ...string) {
	o.send(d, prometheus.GaugeValue, float64(n), labels...)
}

func (o output) counter(d *prometheus.Desc, n uint64, labels ...string) {
	o.send(d, prometheus.CounterValue, float64(n), labels...)
}

func (o output) histogram(d *prometheus.Desc, h *refresher.Histogram) {
	buckets, n := make(map[float64]uint64, len(h.Bounds)), uint64(0)
	for i, bound := range h.Bounds {
		n += h.Counts[i]
		buckets[float64(bound)/float64(time.Second)] = n
	}
	o.ch <- prometheus.MustNewConstHistogram(d, h.Count(), h.Sum.Seconds(), buckets)
}

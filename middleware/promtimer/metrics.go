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
	m.dialogs = ofCalls("dialogs", "Dialogs that there are, by who refreshes them.", "refresher")
	m.negotiations = ofCalls("negotiations_total", "First INVITEs, by who refreshes the call or that it was refused.", "direction", "result")
	m.refreshes = ofCalls("refreshes_total", "Refreshes that were accepted, by who sent them.", "by", "method")
	m.failures = ofCalls("refresh_failures_total", "Refreshes of ours without a 2xx, by the response or why there was none.", "method", "class")
	m.expired = ofCalls("expired_total", "Calls that the timers hung up, by cause.", "cause")

	m.interval = add("interval_seconds", "Session intervals that first INVITEs negotiated.")
	m.retries422 = add("retries_422_total", "Requests of ours that were sent again after a 422.")
	m.duration = add("refresh_duration_seconds", "From the start of a refresh to its final response.")
	m.lateness = add("refresh_lateness_seconds", "From when a refresh was due to its start.")
	m.slack = add("refresh_slack_seconds", "From the 2xx of a refresh to the last chance for it; 0 if that was over.")
	m.queue = add("queue", "What waits: calls due within 40 s, refreshes for a place, missed ones, BYEs, and what the registry is to hear.", "queue")
	m.unanswered = add("unanswered", "Refreshes that wait for their response.")

	m.nodes = add("nodes", "Nodes that live, as this one sees it.")
	m.owned = add("owned", "Calls that this node owns.")
	m.leaseAge = add("lease_age_seconds", "Since the last heartbeat that the registry answered.")
	m.degraded = add("degraded", "1 while the registry is out of reach, else 0.")
	m.takeovers = add("takeovers_total", "Calls taken over from other nodes, by what became of them.", "outcome")
	m.delay = add("takeover_delay_seconds", "From when the former owner of a call was last seen to its takeover.")
	m.fenced = add("fenced_total", "Calls let go because another node has them, by how that was noticed.", "by")
	return m
}

// calls is what is known of all calls, or of those with a name, which is the last label then.
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

// times is what is not counted by name.
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

// output is where a scrape goes.
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

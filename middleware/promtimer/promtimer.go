// Package promtimer shows the figures of session timers to Prometheus:
//
//	collector, err := promtimer.New(timers)
//	registry.MustRegister(collector)
//
// The cost of a scrape does not depend on the number of calls. Metrics are named
// sessiontimer_…; docs/metrics.md explains each of them and what to do about it. The
// directory of this package has alerts.yml, rules for Prometheus, and dashboard.json for
// Grafana.
//
// No label contains a Call-ID, a phone number or an address. If a process has several user
// agents, distinguish them with prometheus.WrapRegistererWith.
package promtimer

import (
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// Collector is a prometheus.Collector of the timers of one user agent. Its methods may be
// called by any number of goroutines.
type Collector struct {
	timers *middleware.Timers
	label  string // of the names of calls; empty without
	metrics
}

// Option configures New.
type Option func(*Collector)

// WithLabel adds a label to the metrics about calls: the name that the function of
// middleware.WithStatsBy returns for a call. name is the name of the label, such as "trunk";
// it must be a valid Prometheus label name that no metric here uses. The label has at most
// 33 values, including the empty one: see middleware.WithStatsBy. Default: no label.
func WithLabel(name string) Option {
	return func(c *Collector) { c.label = name }
}

// New makes a Collector, for the application to register. The error is a
// *sessiontimer.ConfigError.
func New(timers *middleware.Timers, opts ...Option) (*Collector, error) {
	c := &Collector{timers: timers}
	for _, opt := range opts {
		opt(c)
	}
	if timers == nil {
		return nil, &sessiontimer.ConfigError{Option: "Timers", Value: timers, Allowed: "timers of middleware.New"}
	}
	if err := c.checkLabel(); err != nil {
		return nil, err
	}
	c.metrics = newMetrics(c.label)
	return c, nil
}

func (c *Collector) checkLabel() error {
	allowed := ""
	switch {
	case c.label == "":
	case !regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`).MatchString(c.label), strings.HasPrefix(c.label, "__"):
		allowed = "letters, digits and _, but not __ or a digit at the start"
	case slices.Contains([]string{"refresher", "direction", "result", "by", "method", "class", "cause", "queue", "outcome", "le"}, c.label):
		allowed = "no label that the metrics have already"
	case c.timers.Stats().Named == nil:
		allowed = "only for timers made with middleware.WithStatsBy"
	}
	if allowed == "" {
		return nil
	}
	return &sessiontimer.ConfigError{Option: "Label", Value: c.label, Allowed: allowed}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.all {
		ch <- d
	}
}

// Collect implements prometheus.Collector. It takes one snapshot of the timers; those of
// one user agent that share no calls with others have no metrics about nodes.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.timers.Stats()
	o := output{ch}
	if c.label == "" {
		c.calls(o, &s.CallStats)
	} else {
		for name, calls := range s.Named {
			c.calls(o, &calls, name)
		}
	}
	c.times(o, &s)
	if s.Node != nil {
		c.node(o, s.Node)
	}
}

package promtimer_test

import (
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/promtimer"
)

var update = flag.Bool("update", false, "write testdata/metrics.txt")

const golden = "testdata/metrics.txt"

// anHour has alice call a peer, on a trunk, which answers her first refresh and refuses
// the second one, and a peer that refuses the call; and returns what a scrape then says.
func anHour(t *testing.T) (text string) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		n := sipnet.New()
		trunk := func(d dialogstore.Dialog) string {
			if strings.Contains(d.RemoteURI, "@10.0.0.9") {
				return "north"
			}
			return ""
		}
		alice := sipua.New(t, n, "alice", "10.0.0.1:5060", "udp", middleware.WithStatsBy(trunk), middleware.WithJitter(0),
			middleware.WithFailover(failover.NewMemory(), failover.WithName("one")))
		defer sipua.Stop(n, alice)
		p := callNorth(t, n, alice)
		time.Sleep(899 * time.Second)
		req := p.ExpectRequest(t, sip.UPDATE)
		time.Sleep(20 * time.Millisecond)
		p.Reply(req, 200, "OK", timer)
		time.Sleep(899 * time.Second)
		p.Reply(p.ExpectRequest(t, sip.UPDATE), 481, "Gone")
		p.Reply(p.ExpectRequest(t, sip.BYE), 200, "OK")
		go func() {
			_, _ = alice.TryURI(t.Context(), sip.Uri{Scheme: "sip", User: "peer", Host: "10.0.0.9", Port: 5060})
		}()
		p.Reply(p.ExpectRequest(t, sip.INVITE), 422, "Too Small", "Min-SE: 2000")
		p.ExpectRequest(t, sip.ACK)
		p.Reply(p.ExpectRequest(t, sip.INVITE), 422, "Too Small", "Min-SE: 100000")
		p.ExpectRequest(t, sip.ACK)
		time.Sleep(time.Minute)
		synctest.Wait() // the beat of this moment
		text = scrape(t, collector(t, alice.Timers, promtimer.WithLabel("trunk")))
	})
	return text
}

func collector(t testing.TB, timers *middleware.Timers, opts ...promtimer.Option) *promtimer.Collector {
	t.Helper()
	c, err := promtimer.New(timers, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// scrape is the text that Prometheus would get. The registry checks that it is consistent
// with what Describe says.
func scrape(t testing.TB, c *promtimer.Collector) string {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&out, f); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// What a scrape says after an hour with calls is in testdata, which promtool checks too.
func TestScrape(t *testing.T) {
	got := anHour(t)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("a scrape is not what %s says; go test -update writes it (-want +got):\n%s", golden, diff)
	}
}

// A user agent that shares no calls has no metrics of nodes, and no label of the
// application's without WithLabel. What the linter of Prometheus says holds for all.
func TestScrapeAlone(t *testing.T) {
	timers := newTimers(t)
	text := scrape(t, collector(t, timers))
	for _, no := range []string{"sessiontimer_nodes", "sessiontimer_degraded", "sessiontimer_takeover", `queue="registry"`, "trunk"} {
		if strings.Contains(text, no) {
			t.Errorf("a scrape has %s, want none without failover and label:\n%s", no, text)
		}
	}
	problems, err := testutil.CollectAndLint(collector(t, timers))
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

// No lock is held while a scrape goes on: one that is not read to its end holds up no call,
// no node and no other scrape.
func TestScrapeHoldsNoLock(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := sipnet.New()
		alice := sipua.New(t, n, "alice", "10.0.0.1:5060", "udp", middleware.WithJitter(0),
			middleware.WithStatsBy(func(dialogstore.Dialog) string { return "north" }),
			middleware.WithFailover(failover.NewMemory(), failover.WithName("one")))
		defer sipua.Stop(n, alice)
		c := collector(t, alice.Timers, promtimer.WithLabel("trunk"))
		metrics, over := make(chan prometheus.Metric), false
		go func() {
			c.Collect(metrics)
			over = true
		}()
		<-metrics

		p := callNorth(t, n, alice)
		time.Sleep(899 * time.Second)
		p.Reply(p.ExpectRequest(t, sip.UPDATE), 200, "OK", timer)
		time.Sleep(time.Second)
		text := scrape(t, c)
		for _, want := range []string{
			`sessiontimer_refreshes_total{by="local",method="UPDATE",trunk="north"} 1`,
			`sessiontimer_owned 1`,
			`sessiontimer_queue{queue="registry"} 0`,
		} {
			if !strings.Contains(text, want+"\n") {
				t.Errorf("another scrape lacks %s:\n%s", want, text)
			}
		}
		if synctest.Wait(); over {
			t.Error("the scrape is over though nobody has read it")
		}
		go func() {
			for range metrics {
			}
		}()
		synctest.Wait()
		close(metrics)
	})
}

// Two user agents of a process are told apart by the application.
func TestTwoUserAgents(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	for _, name := range []string{"inside", "outside"} {
		prometheus.WrapRegistererWith(prometheus.Labels{"side": name}, r).MustRegister(collector(t, newTimers(t)))
	}
	if n, err := testutil.GatherAndCount(r, "sessiontimer_unanswered"); n != 2 || err != nil {
		t.Errorf("%d series of two user agents, %v; want 2", n, err)
	}
}

// Otherwise the second is refused where it is registered, not at each scrape.
func TestSecondUserAgentIsRefused(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(collector(t, newTimers(t))); err != nil {
		t.Fatal(err)
	}
	var already prometheus.AlreadyRegisteredError
	if err := r.Register(collector(t, newTimers(t))); !errors.As(err, &already) {
		t.Errorf("%v, want an AlreadyRegisteredError", err)
	}
}

func TestConfigErrors(t *testing.T) {
	named := newTimers(t, middleware.WithStatsBy(func(dialogstore.Dialog) string { return "" }))
	const (
		letters = "letters, digits and _, but not __ or a digit at the start"
		others  = "no label that the metrics have already"
	)
	for _, c := range []struct {
		timers  *middleware.Timers
		label   string
		option  string // that the error names; empty for none
		allowed string
	}{
		{nil, "", "Timers", "timers of middleware.New"},
		{named, "", "", ""},
		{named, "trunk", "", ""},
		{named, "_trunk_2", "", ""},
		{named, "__trunk", "Label", letters},
		{named, "2trunk", "Label", letters},
		{named, "trünk", "Label", letters},
		{named, "class", "Label", others},
		{named, "le", "Label", others},
		{newTimers(t), "trunk", "Label", "only for timers made with middleware.WithStatsBy"},
	} {
		got, err := promtimer.New(c.timers, promtimer.WithLabel(c.label))
		var config *sessiontimer.ConfigError
		switch {
		case c.option == "" && (err != nil || got == nil):
			t.Errorf("label %q: %v", c.label, err)
		case c.option != "" && (!errors.As(err, &config) || config.Option != c.option || config.Allowed != c.allowed || got != nil):
			t.Errorf("label %q: %v, want an error of %s that allows %s", c.label, err, c.option, c.allowed)
		case c.option == "Label" && config.Value != c.label:
			t.Errorf("label %q: the error has the value %v", c.label, config.Value)
		}
	}
	if taken := labelsOf(t); !slices.Contains(taken, "cause") {
		t.Errorf("the labels are %v", taken)
	} else {
		for _, label := range taken {
			if _, err := promtimer.New(named, promtimer.WithLabel(label)); err == nil {
				t.Errorf("a label that there is already, %s, is allowed", label)
			}
		}
	}
}

func newTimers(t testing.TB, opts ...middleware.Option) *middleware.Timers {
	t.Helper()
	ua, err := sipgo.NewUA()
	if err != nil {
		t.Fatal(err)
	}
	timers, err := middleware.New(ua, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = timers.Close()
		_ = ua.Close()
	})
	return timers
}

const timer = "Session-Expires: 1800;refresher=uac"

// callNorth has a peer of the trunk north answer a call.
func callNorth(t *testing.T, n *sipnet.Network, alice *sipua.UA) *sipnet.Peer {
	t.Helper()
	p := n.Peer("10.0.0.9:5060")
	go func() {
		_, _ = alice.TryURI(t.Context(), sip.Uri{Scheme: "sip", User: "peer", Host: "10.0.0.9", Port: 5060})
	}()
	p.Reply(p.ExpectRequest(t, sip.INVITE), 200, "OK", timer, "Require: timer", "Allow: UPDATE")
	p.ExpectRequest(t, sip.ACK)
	return p
}

package promtimer_test

import (
	"fmt"

	"github.com/emiago/sipgo"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/promtimer"
)

// The application registers the collector, and serves the registry with promhttp.HandlerFor.
func Example() {
	ua, err := sipgo.NewUA()
	if err != nil {
		panic(err)
	}
	defer ua.Close()
	timers, err := middleware.New(ua)
	if err != nil {
		panic(err)
	}
	defer timers.Close()

	collector, err := promtimer.New(timers)
	if err != nil {
		panic(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector)

	families, err := registry.Gather()
	fmt.Println(families[0].GetName(), families[0].GetType(), err)
	// Output: sessiontimer_dialogs GAUGE <nil>
}

// With WithStatsBy and WithLabel the metrics about calls have a label of the application's.
func ExampleWithLabel() {
	trunks := map[string]string{"udp": "north", "tls": "south"}
	ua, err := sipgo.NewUA()
	if err != nil {
		panic(err)
	}
	defer ua.Close()
	timers, err := middleware.New(ua, middleware.WithStatsBy(func(d dialogstore.Dialog) string { return trunks[d.Transport] }))
	if err != nil {
		panic(err)
	}
	defer timers.Close()

	collector, err := promtimer.New(timers, promtimer.WithLabel("trunk"))
	if err != nil {
		panic(err)
	}
	fmt.Println(prometheus.NewRegistry().Register(collector))
	// Output: <nil>
}

// Monitor demonstrates the page of package timerpage: a switchboard has calls that are
// healthy, go silent, or have their refreshes refused, and takes over the calls of another
// node, which dies again and again.
//
//	go run ./examples/monitor
//
// Then open http://127.0.0.1:8028. An application needs only the lines in serve for the
// page; switchboard.go is the application; annex.go, cast.go and peer.go play the other node
// and the peers.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/promtimer"
	"github.com/sipgo-contrib/sessiontimer/middleware/timerpage"
)

func main() {
	cmd := cli.Bare("monitor", "serves a page of calls that live, fail and die. Everything is on loopback.", "go run ./examples/monitor -run-for 10m")
	cmd.Closing = "Open the address in a browser; the exit status is 0 after a normal end, 1 after an\nerror, 2 for bad flags.\n"
	addr := "127.0.0.1:8028"
	cmd.Text(&addr, "http", "HOST:PORT", "address of the page, for browsers on this machine")
	cmd.RunForFlag()
	cmd.Main(func(ctx context.Context) error { return run(ctx, cmd, addr) })
}

// run plays the calls and serves the page until ctx ends.
func run(ctx context.Context, cmd *cli.Command, addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %s", addr, phone.Why(err))
	}
	defer func() { _ = listener.Close() }()

	recorder := timerpage.NewRecorder(100) // for the ladders; optional
	sip.SIPDebugTracer(recorder)
	sip.SIPDebug = true
	registry := failover.NewMemory() // its nodes are all in this process
	board, err := newSwitchboard(registry, "switchboard")
	if err != nil {
		return err
	}
	defer board.close()
	server, err := serve(board.timers, recorder, listener)
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }()

	cmd.Say("open http://%s in a browser; metrics are at /metrics; stop with Ctrl-C", listener.Addr())
	var scenes sync.WaitGroup
	for i, part := range cast {
		scenes.Go(func() {
			part.play(ctx, board, i, func(err error) { cmd.Say("%s: %s", part.name, phone.Why(err)) })
		})
	}
	scenes.Go(func() {
		playAnnex(ctx, registry, func(err error) { cmd.Say("annex: %s", phone.Why(err)) })
	})
	<-ctx.Done()
	scenes.Wait()
	return nil
}

// serve shows the calls of timers, and their metrics.
func serve(timers *middleware.Timers, recorder *timerpage.Recorder, listener net.Listener) (*http.Server, error) {
	collector, err := promtimer.New(timers)
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(collector); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", timerpage.New(timers, timerpage.WithHistory(), timerpage.WithRecorder(recorder)))
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // until it is closed
	return server, nil
}

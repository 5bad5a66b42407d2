package main

import (
	"net"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
)

// config holds the values of the flags.
type config struct {
	calls, rate    int
	expires, burst time.Duration
	hold           time.Duration
	outage         time.Duration
	arrivals       int
	method         sessiontimer.Method
	stub           string // auto, yes or no
	split          bool
	jitter         float64
	limit          int
	data, plot     string

	listen func() (net.PacketConn, error) // opens the socket of a user agent
}

func command() (*cli.Command, *config) {
	cmd := cli.Bare("load", "holds many calls between two user agents and measures their refreshes.",
		"go run ./examples/load -calls 10000 -rate 2000")
	cfg := &config{calls: 10_000, rate: 2000, hold: 20 * time.Second, method: sessiontimer.MethodUpdate, stub: "auto", limit: 5000, listen: listen}
	cmd.Count(&cfg.calls, "calls", "N", "number of calls to hold")
	cmd.Count(&cfg.rate, "rate", "N", "calls set up per second, and refreshes per second afterwards")
	cmd.Seconds(&cfg.expires, "session-expires", "DUR", "the session interval; calls are refreshed at half of it; 0 = 2*calls/rate")
	cmd.Seconds(&cfg.burst, "burst", "DUR", "set up all calls within this time instead of at -rate; 0 = off")
	cmd.Seconds(&cfg.hold, "hold", "DUR", "how long to measure once the calls are set up")
	cmd.Seconds(&cfg.outage, "outage", "DUR", "lose every message for this long in the middle of -hold; 0 = off")
	cmd.Count(&cfg.arrivals, "arrivals", "N", "further calls set up per second during -hold")
	cli.Choice(cmd, &cfg.method, "method", "auto|update|invite", "request to refresh with; auto prefers UPDATE",
		sessiontimer.MethodAuto, sessiontimer.MethodUpdate, sessiontimer.MethodReInvite)
	cli.Choice(cmd, &cfg.stub, "stub", "auto|yes|no", "store dialogs without real calls: if memory is short, always, never",
		"auto", "yes", "no")
	cmd.Switch(&cfg.split, "split", "run the answering side in a second process")
	cmd.Share(&cfg.jitter, "jitter", "SHARE", "spread refreshes over this share of the time before half the interval, up to 0.5")
	cmd.Count(&cfg.limit, "limit", "N", "maximum number of refreshes started per second, and of unanswered ones")
	cmd.Text(&cfg.data, "data", "FILE", "write a line of CSV per second")
	cmd.Text(&cfg.plot, "plot", "FILE", "draw the refreshes and their lateness as SVG")
	cmd.Closing = closing
	return cmd, cfg
}

// closing ends the usage text.
const closing = `The calls go over UDP from this machine to itself, and are not hung up at the end.
Intervals below 90s, which RFC 4028 forbids on a real network, are used if the rate
needs them. Progress goes to standard error, and at the end a table to standard
output, in which

  lateness  is the time from when a refresh was due until it was first sent; it is
            negative with -jitter
  CPU       is what the process used while it measured, divided by the refreshes
  memory    is heap and stacks after a garbage collection; a call of sipgo includes
            its session, and its transactions for the 32s that sipgo keeps them

The exit status is 1 if a call was dropped, 2 for bad flags.
`

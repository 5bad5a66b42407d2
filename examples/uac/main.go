// Uac makes a call and keeps its session timer.
//
//	go run ./examples/uac -h
package main

import (
	"context"

	"github.com/emiago/sipgo"

	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

func main() {
	cmd := cli.New("uac", "makes a call, keeps its session timer, and ends with the call.",
		"go run ./examples/uac -to sip:127.0.0.1:5060 -unsafe-intervals -session-expires 10s -duration 30s",
		"127.0.0.1:0")
	var to string
	cmd.DurationFlag()
	cmd.Required(&to, "to", "URI", "URI to call")
	cmd.Main(func(ctx context.Context) error { return run(ctx, cmd, to) })
}

// run makes one call and returns when it is over.
func run(ctx context.Context, cmd *cli.Command, to string) error {
	target, err := parseTarget(to, cmd.Transport)
	if err != nil {
		return err
	}
	socket, err := phone.Open(cmd.Transport, cmd.Listen)
	if err != nil {
		return err
	}
	defer socket.Close()
	if err := reachable(ctx, socket, target); err != nil {
		return err
	}
	ua, err := sipgo.NewUA(sipgo.WithUserAgent(userName(cmd)), sipgo.WithUserAgentHostname(socket.Host(target.HostPort())))
	if err != nil {
		return err
	}
	defer ua.Close()

	// Session timers: they make server and client, instead of sipgo.
	timers, err := middleware.New(ua, cmd.Options()...)
	if err != nil {
		return err
	}
	defer timers.Close()
	server, err := timers.NewServer()
	if err != nil {
		return err
	}
	client, err := timers.NewClient(socket.ClientOptions(target.HostPort())...)
	if err != nil {
		return err
	}

	c := newCall(cmd, socket, client, target)
	server.OnInvite(c.onInvite)
	server.OnAck(c.onAck)
	server.OnBye(c.onBye)
	phone.HandleRest(server)
	if err := socket.Serve(server.Server); err != nil {
		return err
	}
	return c.make(ctx)
}

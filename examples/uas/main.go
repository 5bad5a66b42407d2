// Uas answers every call and keeps its session timer.
//
//	go run ./examples/uas -h
package main

import (
	"context"

	"github.com/emiago/sipgo"

	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

func main() {
	cmd := cli.New("uas", "answers every call and keeps its session timer. With -user and -password, callers must authenticate.",
		"go run ./examples/uas -listen 127.0.0.1:5060 -unsafe-intervals -session-expires 10s",
		"127.0.0.1:5060")
	cmd.DurationFlag()
	cmd.RunForFlag()
	cmd.Main(func(ctx context.Context) error { return run(ctx, cmd) })
}

// run takes calls until ctx ends.
func run(ctx context.Context, cmd *cli.Command) error {
	socket, err := phone.Open(cmd.Transport, cmd.Listen)
	if err != nil {
		return err
	}
	defer socket.Close()
	ua, err := sipgo.NewUA(sipgo.WithUserAgent("uas"))
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
	client, err := timers.NewClient(socket.ClientOptions(phone.Anywhere)...)
	if err != nil {
		return err
	}

	calls := newCalls(ctx, cmd, socket, client)
	server.OnInvite(calls.onInvite)
	server.OnAck(calls.onAck)
	server.OnBye(calls.onBye)
	phone.HandleRest(server)
	if err := socket.Serve(server.Server); err != nil {
		return err
	}
	uri := socket.URI("", phone.Anywhere)
	cmd.Say("listening on %s %s; call %s, stop with Ctrl-C", socket.Transport, socket.Addr, uri.String())
	<-ctx.Done()
	calls.hangUpAll()
	return nil
}

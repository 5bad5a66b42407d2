// Diago answers calls: it plays a tone and then echoes what it hears, for as long as the
// session timer finds the caller alive.
//
//	go run ./examples/diago -h
package main

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/diagotimer"
)

func main() {
	cmd := cli.New("diago", "answers every call with a tone and an echo, and keeps its session timer. With -user and -password, callers must authenticate.",
		"go run ./examples/diago -listen 127.0.0.1:5060 -unsafe-intervals -session-expires 10s",
		"127.0.0.1:5060")
	cmd.DurationFlag()
	cmd.RunForFlag()
	cmd.Main(func(ctx context.Context) error { return run(ctx, cmd) })
}

// run takes calls until ctx ends.
func run(ctx context.Context, cmd *cli.Command) error {
	transport, err := transport(cmd)
	if err != nil {
		return err
	}
	media.SetDefaultLogger(sip.DefaultLogger())
	ua, err := sipgo.NewUA(sipgo.WithUserAgent("diago"))
	if err != nil {
		return err
	}
	defer ua.Close()

	// Session timers: this call, and diagotimer.New instead of diago.NewDiago.
	timers, err := middleware.New(ua, cmd.Options()...)
	if err != nil {
		return err
	}
	defer timers.Close()
	dg, err := diagotimer.New(timers, diago.WithTransport(transport))
	if err != nil {
		return err
	}

	// The sockets outlive ctx, to hang up the calls.
	serving, stop := context.WithCancel(context.Background())
	defer stop()
	calls := newCalls(ctx, cmd)
	defer calls.close()
	if err := dg.ServeBackground(serving, calls.serve); err != nil {
		return fmt.Errorf("cannot listen on %s %s: %s", cmd.Transport, cmd.Listen, phone.Why(err))
	}
	addr, uri, err := bound(dg, transport)
	if err != nil {
		return err
	}
	cmd.Say("listening on %s %s; call %s, stop with Ctrl-C", cmd.Transport, addr, uri)
	<-ctx.Done()
	calls.hangUpAll()
	return nil
}

// transport returns the transport of -listen and -transport.
func transport(cmd *cli.Command) (diago.Transport, error) {
	t := diago.Transport{Transport: cmd.Transport}
	host, port, err := net.SplitHostPort(cmd.Listen)
	if err != nil {
		return t, err
	}
	t.BindHost = host
	if host == "" {
		t.BindHost = "0.0.0.0"
	}
	t.BindPort, err = net.LookupPort(cmd.Transport, port)
	if err != nil {
		return t, fmt.Errorf("cannot listen on %s %s: %s", cmd.Transport, cmd.Listen, phone.Why(err))
	}
	return t, nil
}

// bound returns where diago listens, and the URI to call it at: its Contact has the port
// that was chosen for 0, and the address for a wildcard.
func bound(dg *diago.Diago, t diago.Transport) (addr, uri string, err error) {
	d, err := dg.NewDialog(sip.Uri{Scheme: "sip", Host: t.BindHost}, diago.NewDialogOptions{Transport: t.Transport})
	if err != nil {
		return "", "", err
	}
	defer func() { _ = d.Close() }()
	contact := d.UA.ContactHDR.Address
	port := strconv.Itoa(contact.Port)
	uri = "sip:" + net.JoinHostPort(contact.Host, port)
	if t.Transport == "tcp" {
		uri += ";transport=tcp"
	}
	return net.JoinHostPort(t.BindHost, port), uri, nil
}

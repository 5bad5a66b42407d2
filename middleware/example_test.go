package middleware_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// An application adds session timers where it makes its server and client.
func Example() {
	ua, _ := sipgo.NewUA()
	defer ua.Close()

	timers, err := middleware.New(ua,
		middleware.WithSessionExpires(30*time.Minute),
		middleware.WithEventHandler(func(e sessiontimer.Event) {
			fmt.Printf("%T %s\n", e, e.Info().CallID)
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer timers.Close()
	server, err := timers.NewServer() // instead of sipgo.NewServer(ua)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := timers.NewClient() // instead of sipgo.NewClient(ua)
	if err != nil {
		fmt.Println(err)
		return
	}
	dialogs := sipgo.NewDialogServerCache(client, sip.ContactHeader{Address: sip.Uri{User: "bob", Host: "127.0.0.1", Port: 5060}})
	server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		if d, err := dialogs.ReadInvite(req, tx); err == nil {
			_ = d.RespondSDP(req.Body())
		}
	})
	server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = dialogs.ReadBye(req, tx) })

	methods := server.RegisteredMethods()
	slices.Sort(methods)
	fmt.Println(methods)
	// Output: [BYE INVITE UPDATE]
}

// A wrong value is an error that names the option.
func ExampleNew() {
	ua, _ := sipgo.NewUA()
	defer ua.Close()
	_, err := middleware.New(ua, middleware.WithSessionExpires(time.Minute))

	var config *sessiontimer.ConfigError
	if errors.As(err, &config) {
		fmt.Println(config.Option)
	}
	fmt.Println(err)
	// Output:
	// SessionExpires
	// sessiontimer: SessionExpires is 1m0s, allowed: whole seconds, not below MinSE, which is 1m30s, at most 2^32-1 s
}

// One trunk wants timers at all costs, calls within the house none.
func ExampleWithPolicyFunc() {
	ua, _ := sipgo.NewUA()
	defer ua.Close()
	_, err := middleware.New(ua, middleware.WithPolicyFunc(
		func(invite *sip.Request, outgoing bool, p sessiontimer.Policy) sessiontimer.Policy {
			switch {
			case outgoing && invite.Recipient.Host == "trunk.example.com":
				p.Mode = sessiontimer.Always
			case invite.Recipient.Host == "pbx.local":
				p.Mode = sessiontimer.Off
			}
			return p
		}))
	fmt.Println(err)
	// Output: <nil>
}

// An application that has a server and clients already hands them over, and
// registers its handlers on what Attach returns.
func ExampleTimers_Attach() {
	ua, _ := sipgo.NewUA()
	defer ua.Close()
	server, _ := sipgo.NewServer(ua)
	inside, _ := sipgo.NewClient(ua, sipgo.WithClientHostname("10.0.0.1"))
	outside, _ := sipgo.NewClient(ua, sipgo.WithClientHostname("203.0.113.1"))

	timers, err := middleware.New(ua)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer timers.Close()
	srv, err := timers.Attach(server, inside, outside)
	if err != nil {
		fmt.Println(err)
		return
	}
	srv.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {})

	_, err = timers.Attach(server)
	fmt.Println(err)
	// Output: middleware: cannot attach: the server is attached already
}

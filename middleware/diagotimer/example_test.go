package diagotimer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/diagotimer"
)

// A diago application adds session timers where it makes its Diago. Its handlers
// stay as they are: the context of a call ends when the peer has vanished.
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

	dg, err := diagotimer.New(timers, // instead of diago.NewDiago(ua
		diago.WithTransport(diago.Transport{Transport: "udp", BindHost: "127.0.0.1"}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err = dg.ServeBackground(ctx, func(call *diago.DialogServerSession) {
		// Answer and play, as before.
		<-call.Context().Done()
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("diago answers with session timers")
	// Output: diago answers with session timers
}

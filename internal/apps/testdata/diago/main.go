// An application on diago alone that takes calls.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/diagotimer"
)

func main() {
	ua, err := sipgo.NewUA()
	check(err)
	timers, err := middleware.New(ua, middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(6*time.Second),
		middleware.WithRefresher(sessiontimer.Local))
	check(err)
	dg, err := diagotimer.New(timers, diago.WithTransport(diago.Transport{Transport: "udp", BindHost: "127.0.0.1", BindPort: 0}))
	check(err)
	check(dg.ServeBackground(context.Background(), func(d *diago.DialogServerSession) {
		if _, err := d.Answer(diago.AnswerOptions{}); err != nil {
			log.Print(err)
			return
		}
		<-d.Context().Done()
		fmt.Println("over")
	}))
	for len(ua.TransportLayer().ListenPorts("udp")) == 0 { // diago is there a little before sipgo
		time.Sleep(time.Millisecond)
	}
	fmt.Printf("127.0.0.1:%d\n", ua.TransportLayer().ListenPorts("udp")[0])
	select {}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

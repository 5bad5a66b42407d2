// An application that takes calls with sipgo at one address and with diago at
// another: two user agents, each with timers of its own.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/diagotimer"
)

var options = []middleware.Option{
	middleware.WithUnsafeIntervals(),
	middleware.WithSessionExpires(6 * time.Second),
	middleware.WithRefresher(sessiontimer.Local),
}

func main() {
	onSipgo()
	onDiago()
	select {}
}

func onSipgo() {
	ua, err := sipgo.NewUA()
	check(err)
	timers, err := middleware.New(ua, options...)
	check(err)
	server, err := sipgo.NewServer(ua)
	check(err)
	client, err := sipgo.NewClient(ua)
	check(err)
	srv, err := timers.Attach(server, client)
	check(err)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	port := conn.LocalAddr().(*net.UDPAddr).Port
	dialogs := sipgo.NewDialogServerCache(client, sip.ContactHeader{Address: sip.Uri{Scheme: "sip", Host: "127.0.0.1", Port: port}})
	srv.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		d, err := dialogs.ReadInvite(req, tx)
		if err != nil || d.RespondSDP(req.Body()) != nil {
			return
		}
		<-d.Context().Done()
		fmt.Println("over")
	})
	srv.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = dialogs.ReadAck(req, tx) })
	srv.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = dialogs.ReadBye(req, tx) })
	go func() { log.Fatal(srv.ServeUDP(conn)) }()
	fmt.Println(conn.LocalAddr())
}

func onDiago() {
	ua, err := sipgo.NewUA()
	check(err)
	timers, err := middleware.New(ua, options...)
	check(err)
	dg, err := diagotimer.New(timers, diago.WithTransport(diago.Transport{Transport: "udp", BindHost: "127.0.0.1"}))
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
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

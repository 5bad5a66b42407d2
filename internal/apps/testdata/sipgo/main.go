// An application on sipgo alone that takes calls, over UDP or TCP as its argument
// says.
package main

import (
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

func main() {
	ua, err := sipgo.NewUA()
	check(err)
	timers, err := middleware.New(ua, middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(6*time.Second),
		middleware.WithRefresher(sessiontimer.Local))
	check(err)
	server, err := timers.NewServer()
	check(err)
	client, err := timers.NewClient()
	check(err)

	contact := sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "app", Host: "127.0.0.1"}}
	var serve func() error
	if os.Args[1] == "tcp" {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		check(err)
		contact.Address.Port = tcp.Addr().(*net.TCPAddr).Port
		contact.Address.UriParams = sip.HeaderParams{{K: "transport", V: "tcp"}}
		serve = func() error { return server.ServeTCP(tcp) }
	} else {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		check(err)
		contact.Address.Port = udp.LocalAddr().(*net.UDPAddr).Port
		serve = func() error { return server.ServeUDP(udp) }
	}

	dialogs := sipgo.NewDialogServerCache(client, contact)
	server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		d, err := dialogs.ReadInvite(req, tx)
		if err != nil {
			return
		}
		if err := d.RespondSDP(req.Body()); err != nil {
			return
		}
		<-d.Context().Done()
		fmt.Println("over")
	})
	server.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = dialogs.ReadAck(req, tx) })
	server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = dialogs.ReadBye(req, tx) })
	fmt.Printf("127.0.0.1:%d\n", contact.Address.Port)
	log.Fatal(serve())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// An application that only calls: the address that its argument says. It has a
// server for what comes within its calls, and listens where its Contact says.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

func main() {
	ctx := context.Background()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	port := conn.LocalAddr().(*net.UDPAddr).Port
	ua, err := sipgo.NewUA()
	check(err)
	timers, err := middleware.New(ua, middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(6*time.Second))
	check(err)
	defer timers.Close()
	server, err := timers.NewServer()
	check(err)
	client, err := timers.NewClient(sipgo.WithClientAddr(conn.LocalAddr().String()))
	check(err)
	dialogs := sipgo.NewDialogClientCache(client, sip.ContactHeader{Address: sip.Uri{Scheme: "sip", Host: "127.0.0.1", Port: port}})
	server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = dialogs.ReadBye(req, tx) })
	go func() { log.Fatal(server.ServeUDP(conn)) }()

	var target sip.Uri
	check(sip.ParseUri("sip:peer@"+os.Args[1], &target))
	d, err := dialogs.Invite(ctx, target, []byte(sdp), sip.NewHeader("Content-Type", "application/sdp"))
	check(err)
	check(d.WaitAnswer(ctx, sipgo.AnswerOptions{}))
	check(d.Ack(ctx))
	<-d.Context().Done()
	fmt.Println("over")
}

const sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// A proxy in the way of sipgo's own example: it adds Via and Record-Route to what
// comes in, sends it on, and passes back what comes of it. Its arguments are the
// addresses of its two sides, and whether it has timers.
package main

import (
	"context"
	"errors"
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

// server is what sipgo.Server and middleware.Server have in common.
type server interface {
	OnInvite(sipgo.RequestHandler)
	OnAck(sipgo.RequestHandler)
	OnCancel(sipgo.RequestHandler)
	OnBye(sipgo.RequestHandler)
	ServeUDP(net.PacketConn) error
}

var client *sipgo.Client

func main() {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	ua, err := sipgo.NewUA()
	check(err)
	stock, err := sipgo.NewServer(ua)
	check(err)
	client, err = sipgo.NewClient(ua, sipgo.WithClientAddr(conn.LocalAddr().String()))
	check(err)

	var srv server = stock
	if os.Args[3] == "timers" {
		timers, err := middleware.New(ua, middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(2*time.Second),
			middleware.WithRefresher(sessiontimer.Local), middleware.WithMode(sessiontimer.Always))
		check(err)
		srv, err = timers.Attach(stock, client)
		check(err)
	}
	srv.OnInvite(route)
	srv.OnCancel(route)
	srv.OnBye(route)
	srv.OnAck(func(req *sip.Request, tx sip.ServerTransaction) {
		req.SetDestination(otherSide(req))
		_ = client.WriteRequest(req, sipgo.ClientRequestAddVia)
	})
	fmt.Println(conn.LocalAddr())
	log.Fatal(srv.ServeUDP(conn))
}

func route(req *sip.Request, tx sip.ServerTransaction) {
	req.SetDestination(otherSide(req))
	forward, err := client.TransactionRequest(context.Background(), req, sipgo.ClientRequestAddVia, sipgo.ClientRequestAddRecordRoute)
	if err != nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusInternalServerError, "", nil))
		return
	}
	defer forward.Terminate()
	for {
		select {
		case res := <-forward.Responses():
			res.SetDestination(req.Source())
			res.RemoveHeader("Via")
			_ = tx.Respond(res)
		case ack := <-tx.Acks():
			ack.SetDestination(otherSide(req))
			_ = client.WriteRequest(ack)
		case <-forward.Done():
			return
		case <-tx.Done():
			if err := tx.Err(); err != nil && !errors.Is(err, sip.ErrTransactionTerminated) {
				log.Print(err)
			}
			return
		}
	}
}

func otherSide(req *sip.Request) string {
	if req.Source() == os.Args[1] {
		return os.Args[2]
	}
	return os.Args[1]
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

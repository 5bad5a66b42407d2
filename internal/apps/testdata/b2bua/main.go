// A B2BUA: for each call that comes in it calls the address that its argument says,
// and when one leg ends it hangs up the other. Each leg has an interval of its own.
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

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

type bridge struct {
	server   *middleware.Server
	incoming *sipgo.DialogServerCache
	outgoing *sipgo.DialogClientCache
	target   sip.Uri
}

func main() {
	b := &bridge{}
	check(sip.ParseUri("sip:b@"+os.Args[1], &b.target))
	inside, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	outside, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)

	ua, err := sipgo.NewUA()
	check(err)
	timers, err := middleware.New(ua, middleware.WithUnsafeIntervals(), middleware.WithRefresher(sessiontimer.Local),
		middleware.WithPolicyFunc(func(_ *sip.Request, outgoing bool, p sessiontimer.Policy) sessiontimer.Policy {
			p.SessionExpires = 8 * time.Second
			if outgoing {
				p.SessionExpires = 6 * time.Second
			}
			return p
		}))
	check(err)
	b.server, err = timers.NewServer()
	check(err)
	clientIn, err := timers.NewClient(sipgo.WithClientAddr(inside.LocalAddr().String()))
	check(err)
	clientOut, err := timers.NewClient(sipgo.WithClientAddr(outside.LocalAddr().String()), sipgo.WithClientConnectionAddr(outside.LocalAddr().String()))
	check(err)
	b.incoming = sipgo.NewDialogServerCache(clientIn, contact(inside))
	b.outgoing = sipgo.NewDialogClientCache(clientOut, contact(outside))
	go func() { log.Fatal(b.server.ServeUDP(inside)) }()
	go func() { log.Fatal(b.server.ServeUDP(outside)) }()
	for ua.TransportLayer().Pool("udp").Size() < 2 { // sipgo sends from these two
		time.Sleep(time.Millisecond)
	}
	b.handle() // late, as in programs that start their parts one after the other
	fmt.Println(inside.LocalAddr())
	select {}
}

func (b *bridge) handle() {
	b.server.OnInvite(b.connect)
	b.server.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = b.incoming.ReadAck(req, tx) })
	b.server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {
		if b.incoming.ReadBye(req, tx) != nil {
			_ = b.outgoing.ReadBye(req, tx)
		}
	})
}

func (b *bridge) connect(req *sip.Request, tx sip.ServerTransaction) {
	in, err := b.incoming.ReadInvite(req, tx)
	if err != nil {
		return
	}
	ctx := in.Context()
	out, err := b.outgoing.Invite(ctx, b.target, req.Body(), sip.NewHeader("Content-Type", "application/sdp"))
	if err != nil {
		_ = in.Respond(sip.StatusInternalServerError, "Server Internal Error", nil)
		return
	}
	if err := out.WaitAnswer(ctx, sipgo.AnswerOptions{}); err != nil {
		_ = in.Respond(sip.StatusBusyHere, "Busy Here", nil)
		return
	}
	if out.Ack(ctx) != nil || in.RespondSDP(out.InviteResponse.Body()) != nil {
		return
	}
	select {
	case <-in.Context().Done():
		_ = out.Bye(context.Background())
	case <-out.Context().Done():
		_ = in.Bye(context.Background())
	}
	fmt.Println("over")
}

func contact(conn net.PacketConn) sip.ContactHeader {
	return sip.ContactHeader{Address: sip.Uri{Scheme: "sip", Host: "127.0.0.1", Port: conn.LocalAddr().(*net.UDPAddr).Port}}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

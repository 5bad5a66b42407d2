// An application with timer code of its own: it hangs up a call in which it has seen
// no refresh for a minute. Its answers say how many it has seen.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

type app struct {
	server  *middleware.Server
	dialogs *sipgo.DialogServerCache
	contact sip.ContactHeader

	mu    sync.Mutex
	guard *time.Timer
	seen  int
}

func main() {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	ua, err := sipgo.NewUA()
	check(err)
	timers, err := middleware.New(ua)
	check(err)
	a := &app{contact: sip.ContactHeader{Address: sip.Uri{Scheme: "sip", Host: "127.0.0.1", Port: conn.LocalAddr().(*net.UDPAddr).Port}}}
	a.server, err = timers.NewServer()
	check(err)
	client, err := timers.NewClient()
	check(err)
	a.dialogs = sipgo.NewDialogServerCache(client, a.contact)
	a.server.OnInvite(a.onInvite)
	a.server.OnUpdate(a.refreshed)
	a.server.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = a.dialogs.ReadAck(req, tx) })
	a.server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = a.dialogs.ReadBye(req, tx) })
	fmt.Println(conn.LocalAddr())
	log.Fatal(a.server.ServeUDP(conn))
}

func (a *app) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	if req.To().Params.Has("tag") {
		a.refreshed(req, tx)
		return
	}
	d, err := a.dialogs.ReadInvite(req, tx)
	if err != nil {
		return
	}
	a.mu.Lock()
	a.guard = time.AfterFunc(time.Minute, func() { _ = d.Bye(context.Background()) })
	a.mu.Unlock()
	if d.RespondSDP(req.Body()) != nil {
		return
	}
	<-d.Context().Done()
}

func (a *app) refreshed(req *sip.Request, tx sip.ServerTransaction) {
	a.mu.Lock()
	a.guard.Reset(time.Minute)
	a.seen++
	seen := strconv.Itoa(a.seen)
	a.mu.Unlock()
	res := sip.NewResponseFromRequest(req, sip.StatusOK, "OK", req.Body())
	res.AppendHeader(&a.contact)
	res.AppendHeader(sip.NewHeader("X-Seen", seen))
	if len(req.Body()) > 0 {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	_ = tx.Respond(res)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

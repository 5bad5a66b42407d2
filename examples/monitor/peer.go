package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// peer is the other end of one call. A caller has its own timers; a callee follows its part.
type peer struct {
	part
	ua        *sipgo.UserAgent
	timers    *middleware.Timers // nil for a callee
	tap       *sipnet.Tap
	dialogs   *sipgo.DialogServerCache
	callers   *sipgo.DialogClientCache
	refreshes atomic.Int32
}

func newPeer(p part) (*peer, error) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ua, err := sipgo.NewUA(sipgo.WithUserAgent(p.name), sipgo.WithUserAgentHostname("127.0.0.1"))
	if err != nil {
		return nil, err
	}
	e := &peer{part: p, ua: ua, tap: sipnet.TapPacketConn(conn, func(_, _ string, _ []byte, _ bool) {})}
	addr := conn.LocalAddr().String()
	opts := []sipgo.ClientOption{sipgo.WithClientAddr(addr), sipgo.WithClientConnectionAddr(addr)}
	if p.calls {
		err = e.withTimers(opts)
	} else {
		err = e.scripted(opts)
	}
	return e, err
}

// withTimers is a user agent that calls, and refreshes.
func (e *peer) withTimers(opts []sipgo.ClientOption) (err error) {
	e.timers, err = middleware.New(e.ua, middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(e.interval),
		middleware.WithRefresher(sessiontimer.Local))
	if err != nil {
		return err
	}
	server, err := e.timers.NewServer()
	if err != nil {
		return err
	}
	client, err := e.timers.NewClient(opts...)
	if err != nil {
		return err
	}
	e.callers = sipgo.NewDialogClientCache(client, sip.ContactHeader{Address: e.uri()})
	server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = e.callers.ReadBye(req, tx) })
	return e.serve(server.Server)
}

// scripted is a user agent that is called, and answers refreshes as its part says.
func (e *peer) scripted(opts []sipgo.ClientOption) error {
	server, err := sipgo.NewServer(e.ua)
	if err != nil {
		return err
	}
	client, err := sipgo.NewClient(e.ua, opts...)
	if err != nil {
		return err
	}
	e.dialogs = sipgo.NewDialogServerCache(client, sip.ContactHeader{Address: e.uri()})
	server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		if phone.InDialog(req) {
			e.refresh(req, tx)
			return
		}
		if d, err := e.dialogs.ReadInvite(req, tx); err == nil {
			_ = d.Respond(sip.StatusOK, "OK", phone.SDP("127.0.0.1"), append(e.timer(req), sip.NewHeader("Content-Type", "application/sdp"))...)
		}
	})
	server.OnUpdate(e.refresh)
	server.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = e.dialogs.ReadAck(req, tx) })
	server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) { _ = e.dialogs.ReadBye(req, tx) })
	return e.serve(server)
}

// refresh answers an UPDATE or re-INVITE.
func (e *peer) refresh(req *sip.Request, tx sip.ServerTransaction) {
	status := sip.StatusOK
	if e.refusal != nil {
		status = e.refusal(int(e.refreshes.Add(1)))
	}
	if status != sip.StatusOK {
		phone.Respond(req, tx, status, "Refused", sip.NewHeader("Retry-After", "3"))
		return
	}
	res := sip.NewResponseFromRequest(req, status, "OK", nil)
	if req.IsInvite() {
		res = sip.NewSDPResponseFromRequest(req, phone.SDP("127.0.0.1"))
	}
	for _, h := range append(e.timer(req), &sip.ContactHeader{Address: e.uri()}) {
		res.AppendHeader(h)
	}
	_ = tx.Respond(res)
}

// timer are the fields of a 2xx: the caller refreshes.
func (e *peer) timer(req *sip.Request) []sip.Header {
	if e.noTimer {
		return nil
	}
	allow := "INVITE, ACK, BYE, CANCEL, UPDATE"
	if e.noUpdate {
		allow = "INVITE, ACK, BYE, CANCEL"
	}
	seconds := strconv.Itoa(int(e.interval / time.Second))
	return []sip.Header{sip.NewHeader("Session-Expires", seconds+";refresher=uac"), sip.NewHeader("Require", "timer"), sip.NewHeader("Allow", allow)}
}

func (e *peer) serve(server *sipgo.Server) error {
	go func() { _ = server.ServeUDP(e.tap) }()
	addr := e.tap.LocalAddr().String()
	for range 500 {
		if conn, err := e.ua.TransportLayer().GetConnection("udp", addr); err == nil {
			_, err = conn.TryClose()
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
	return fmt.Errorf("the socket of %s is not served", e.name)
}

func (e *peer) uri() sip.Uri {
	addr := e.tap.LocalAddr().(*net.UDPAddr)
	return sip.Uri{Scheme: "sip", User: e.name, Host: addr.IP.String(), Port: addr.Port}
}

// call calls the switchboard, and returns the call when it is up.
func (e *peer) call(ctx context.Context, to sip.Uri) (*sipgo.DialogClientSession, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	d, err := e.callers.Invite(ctx, to, phone.SDP("127.0.0.1"), sip.NewHeader("Content-Type", "application/sdp"))
	if err != nil {
		return nil, err
	}
	if err := d.WaitAnswer(ctx, sipgo.AnswerOptions{}); err != nil {
		return nil, err
	}
	return d, d.Ack(ctx)
}

func (e *peer) close() {
	if e.timers != nil {
		_ = e.timers.Close()
	}
	_ = e.ua.Close()
	_ = e.tap.Close()
}

package main

import (
	"context"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// switchboard is the application on the page: it makes calls, and answers every call. It is
// one node of several.
type switchboard struct {
	ua      *sipgo.UserAgent
	timers  *middleware.Timers
	socket  *phone.Socket
	calls   *sipgo.DialogClientCache
	answers *sipgo.DialogServerCache
}

func newSwitchboard(registry failover.Registry, name string) (*switchboard, error) {
	socket, err := phone.Open("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ua, err := sipgo.NewUA(sipgo.WithUserAgent("switchboard"), sipgo.WithUserAgentHostname("127.0.0.1"))
	if err != nil {
		return nil, err
	}
	timers, err := middleware.New(ua, middleware.WithUnsafeIntervals(), middleware.WithMinSE(20*time.Second), middleware.WithPolicyFunc(interval),
		middleware.WithFailover(registry, failover.WithName(name), failover.WithAddress(socket.Addr), failover.WithLease(2*time.Second)))
	if err != nil {
		return nil, err
	}
	server, err := timers.NewServer()
	if err != nil {
		return nil, err
	}
	client, err := timers.NewClient(socket.ClientOptions(phone.Anywhere)...)
	if err != nil {
		return nil, err
	}
	s := &switchboard{ua: ua, timers: timers, socket: socket}
	contact := sip.ContactHeader{Address: s.uri()}
	s.calls = sipgo.NewDialogClientCache(client, contact)
	s.answers = sipgo.NewDialogServerCache(client, contact)
	server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
		if d, err := s.answers.ReadInvite(req, tx); err == nil {
			_ = d.RespondSDP(phone.SDP("127.0.0.1"))
		}
	})
	server.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = s.answers.ReadAck(req, tx) })
	server.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {
		if s.answers.ReadBye(req, tx) != nil && s.calls.ReadBye(req, tx) != nil {
			phone.NoSuchCall(req, tx)
		}
	})
	return s, socket.Serve(server.Server)
}

// interval gives each call the interval of its peer's part, so that a lot happens.
func interval(invite *sip.Request, outgoing bool, base sessiontimer.Policy) sessiontimer.Policy {
	if outgoing {
		base.SessionExpires = partOf(invite.Recipient.User).interval
	}
	return base
}

func (s *switchboard) uri() sip.Uri { return s.socket.URI("switchboard", phone.Anywhere) }

// call calls a peer, and returns the call when it is up.
func (s *switchboard) call(ctx context.Context, to sip.Uri) (*sipgo.DialogClientSession, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	d, err := s.calls.Invite(ctx, to, phone.SDP("127.0.0.1"), sip.NewHeader("Content-Type", "application/sdp"))
	if err != nil {
		return nil, err
	}
	if err := d.WaitAnswer(ctx, sipgo.AnswerOptions{}); err != nil {
		return nil, err
	}
	return d, d.Ack(ctx)
}

func (s *switchboard) close() {
	_ = s.timers.Close()
	_ = s.ua.Close()
	s.socket.Close()
}

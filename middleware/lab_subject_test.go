package middleware_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// subject is a sipgo application that strangers send to, the same with and without
// timers. Set it up before the first message.
type subject struct {
	addr   string
	ua     *sipgo.UserAgent
	timers *middleware.Timers // nil without

	answer func(*sipgo.DialogServerSession)               // of a first INVITE
	silent bool                                           // acknowledges no 2xx
	bye    func(*sip.Request, sip.ServerTransaction) bool // reports whether it has answered

	calls   *sipgo.DialogClientCache
	answers *sipgo.DialogServerCache

	mu      sync.Mutex
	dialogs []dialog // that it has taken or begun
	events  []sessiontimer.Event
}

// noNames is a resolver that sends no queries.
func noNames() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }}
}

// The first lookup of package net makes channels, which must not belong to a bubble.
func init() {
	_, _, _ = noNames().LookupSRV(context.Background(), "sip", "udp", "lab.invalid")
	_, _ = noNames().LookupIPAddr(context.Background(), "lab.invalid")
}

// newSubject makes a subject at bobAddr. Without timers opts are ignored.
func newSubject(t testing.TB, n *sipnet.Network, timers bool, opts ...middleware.Option) *subject {
	t.Helper()
	s := &subject{addr: bobAddr}
	s.answer = func(d *sipgo.DialogServerSession) { _ = d.RespondSDP([]byte(sipua.SDP("bob", "1"))) }
	var server *sipgo.Server
	var client *sipgo.Client
	var err error
	check := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.ua, err = sipgo.NewUA(sipgo.WithUserAgentHostname("10.0.0.2"), sipgo.WithUserAgentDNSResolver(noNames()),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(sipua.Quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(sipua.Quiet)))
	check()
	server, err = sipgo.NewServer(s.ua, sipgo.WithServerLogger(sipua.Quiet))
	check()
	client, err = sipgo.NewClient(s.ua, sipgo.WithClientLogger(sipua.Quiet), sipgo.WithClientAddr(s.addr), sipgo.WithClientConnectionAddr(s.addr))
	check()
	var handlers handlerSet = server
	if timers {
		opts = append([]middleware.Option{middleware.WithLogger(sipua.Quiet), middleware.WithEventHandler(s.event)}, opts...)
		s.timers, err = middleware.New(s.ua, opts...)
		check()
		handlers, err = s.timers.Attach(server, client)
		check()
	}
	contact := sip.ContactHeader{Address: uriOf(s.addr, "udp")}
	s.calls = sipgo.NewDialogClientCache(client, contact)
	s.answers = sipgo.NewDialogServerCache(client, contact)
	handlers.OnInvite(s.onInvite)
	handlers.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = s.answers.ReadAck(req, tx) })
	handlers.OnBye(s.onBye)
	conn := n.PacketConn(s.addr)
	go func() { _ = server.ServeUDP(conn) }()
	return s
}

func (s *subject) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	if to := req.To(); to != nil && to.Params.Has("tag") {
		res := sip.NewSDPResponseFromRequest(req, []byte(sipua.SDP("bob", "2")))
		res.AppendHeader(&sip.ContactHeader{Address: uriOf(s.addr, "udp")})
		_ = tx.Respond(res)
		return
	}
	d, err := s.answers.ReadInvite(req, tx)
	if err != nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusBadRequest, "Bad Request", nil))
		return
	}
	s.add(d)
	s.answer(d)
}

func (s *subject) onBye(req *sip.Request, tx sip.ServerTransaction) {
	if s.bye != nil && s.bye(req, tx) {
		return
	}
	if s.answers.ReadBye(req, tx) != nil && s.calls.ReadBye(req, tx) != nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist", nil))
	}
}

// call calls the peer and gives up after the patience, without a CANCEL.
func (s *subject) call(patience time.Duration, headers ...sip.Header) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer time.AfterFunc(patience, func() { cancel(sipgo.WaitAnswerForceCancelErr) }).Stop()
	headers = append(headers, sip.NewHeader("Content-Type", "application/sdp"))
	d, err := s.calls.Invite(ctx, peerURI, []byte(sipua.SDP("bob", "1")), headers...)
	if err != nil {
		return
	}
	if d.WaitAnswer(ctx, sipgo.AnswerOptions{Username: "bob", Password: "secret"}) != nil {
		return
	}
	if s.silent || d.Ack(ctx) == nil {
		s.add(d)
	}
}

func (s *subject) add(d dialog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialogs = append(s.dialogs, d)
}

func (s *subject) event(e sessiontimer.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// alive returns the dialogs that the application considers up.
func (s *subject) alive() (up []dialog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dialogs {
		if state := d.LoadState(); state == sip.DialogStateEstablished || state == sip.DialogStateConfirmed {
			up = append(up, d)
		}
	}
	return up
}

// stop stops the subject and its network in an order that leaves nothing behind.
func (s *subject) stop(n *sipnet.Network) {
	if s.timers != nil {
		_ = s.timers.Close()
	}
	synctest.Wait()
	n.Close()
	synctest.Wait()
	_ = s.ua.Close()
	synctest.Wait()
}

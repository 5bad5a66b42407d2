package middleware_test

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

const calleeAddr = "10.0.0.8:5060"

// proxying is an application that relays like sipgo's example of a proxy: it adds Via and
// Record-Route and passes on the responses.
type proxying struct {
	client *sipgo.Client
	clone  bool // it keeps the request and sends a copy
	ring   bool // it answers 180 before it relays
}

func (a *proxying) route(req *sip.Request, tx sip.ServerTransaction) {
	if a.ring && req.IsInvite() {
		res := sip.NewResponseFromRequest(req, 180, "Ringing", nil)
		res.To().Params.Add("tag", "proxy")
		_ = tx.Respond(res)
	}
	out := req
	if a.clone {
		out = req.Clone()
	}
	out.SetDestination(farEnd(req.Source()))
	clTx, err := a.client.TransactionRequest(context.Background(), out, sipgo.ClientRequestAddVia, sipgo.ClientRequestAddRecordRoute)
	if err != nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, 500, "", nil))
		return
	}
	defer clTx.Terminate()
	clTx.OnRetransmission(func(res *sip.Response) {
		res.RemoveHeader("Via")
		_ = tx.Respond(res) // a 2xx of another party, or once more
	})
	for {
		select {
		case res := <-clTx.Responses():
			res.SetDestination(req.Source())
			res.RemoveHeader("Via")
			_ = tx.Respond(res)
		case <-clTx.Done():
			return
		case ack := <-tx.Acks():
			ack.SetDestination(farEnd(req.Source()))
			_ = a.client.WriteRequest(ack)
		case <-tx.Done():
			if errors.Is(tx.Err(), sip.ErrTransactionCanceled) && req.IsInvite() {
				_, _ = a.client.Do(context.Background(), cancelOf(out))
			}
			return
		}
	}
}

func (a *proxying) ack(req *sip.Request, _ sip.ServerTransaction) {
	req.SetDestination(farEnd(req.Source()))
	_ = a.client.WriteRequest(req, sipgo.ClientRequestAddVia)
}

// farEnd is the far end of a call through the proxy.
func farEnd(addr string) string {
	if addr == peerAddr {
		return calleeAddr
	}
	return peerAddr
}

func cancelOf(invite *sip.Request) *sip.Request {
	cancel := sip.NewRequest(sip.CANCEL, invite.Recipient)
	for _, h := range []sip.Header{invite.Via(), invite.From(), invite.To(), invite.CallID()} {
		cancel.AppendHeader(sip.HeaderClone(h))
	}
	cancel.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	cancel.SetDestination(invite.Destination())
	return cancel
}

// relayFlows are calls of a through the proxy to b.
var relayFlows = map[string]func(l *lab, a, b *sipnet.Peer){
	"a call with refreshes of both kinds": func(l *lab, a, b *sipnet.Peer) {
		relayedCall(l, a, b, allow, timerHeader, se1800)
		for i, method := range []sip.RequestMethod{sip.INVITE, sip.UPDATE, sip.INFO} {
			l.at(time.Duration(i+1) * 900 * time.Second)
			a.Request(method, timerHeader, se1800)
			if method == sip.INVITE {
				b.Reply(b.ExpectRequest(l, sip.INVITE), 200, "OK", timerHeader, se1800)
				a.Ack(a.ExpectResponse(l, 200))
				b.ExpectRequest(l, sip.ACK)
				continue
			}
			a.ExpectResponse(l, 405)
		}
		l.at(2 * time.Hour)
		relayBye(l, a, b)
	},
	"a call without timers": func(l *lab, a, b *sipnet.Peer) {
		relayedCall(l, a, b)
		l.at(2 * time.Hour)
		relayBye(l, b, a)
	},
	"refused": func(l *lab, a, b *sipnet.Peer) {
		a.Invite(bobAddr, timerHeader, se1800)
		b.Reply(b.ExpectRequest(l, sip.INVITE), 422, "Session Interval Too Small", "Min-SE: 3600")
		a.Ack(final(l, a, 422))
		b.ExpectRequest(l, sip.ACK)
	},
	"cancelled": func(l *lab, a, b *sipnet.Peer) {
		a.Invite(bobAddr, timerHeader, se1800)
		b.Reply(b.ExpectRequest(l, sip.INVITE), 183, "Session Progress", sipnet.SDP)
		synctest.Wait()
		a.Cancel()
		l.at(time.Minute) // what sipgo's example makes of that
	},
	"two answers": func(l *lab, a, b *sipnet.Peer) {
		a.Invite(bobAddr, timerHeader, se1800)
		invite := b.ExpectRequest(l, sip.INVITE)
		b.Reply(invite, 180, "Ringing", "To: <sip:uas@10.0.0.2:5060>;tag=one")
		synctest.Wait()
		b.Reply(invite, 200, "OK", "To: <sip:uas@10.0.0.2:5060>;tag=two", allow, timerHeader, "Session-Expires: 900;refresher=uas")
		synctest.Wait()
		b.Reply(invite, 200, "OK", "To: <sip:uas@10.0.0.2:5060>;tag=three", "Allow: INVITE")
		synctest.Wait()
		a.Ack(final(l, a, 200))
		b.ExpectRequest(l, sip.ACK)
		a.ExpectResponse(l, 200)
		l.at(time.Hour)
	},
}

// The Contact has the host of the proxy and no port, which must stay so.
func relayedCall(l *lab, a, b *sipnet.Peer, headers ...string) {
	l.Helper()
	a.Invite(bobAddr, append([]string{"Contact: <sip:peer@10.0.0.2>"}, headers...)...)
	invite := b.ExpectRequest(l, sip.INVITE)
	b.Reply(invite, 180, "Ringing")
	synctest.Wait()
	b.Reply(invite, 200, "OK", headers...)
	a.Ack(final(l, a, 200))
	b.ExpectRequest(l, sip.ACK)
	synctest.Wait()
}

// final returns the next final response, which must have the given code.
func final(l *lab, p *sipnet.Peer, code int) *sip.Response {
	l.Helper()
	for {
		msg, ok := p.Recv(time.Second)
		res, isRes := msg.(*sip.Response)
		switch {
		case !ok || !isRes || !res.IsProvisional() && res.StatusCode != code:
			l.Fatalf("%s got %v, want a %d", p.Addr(), msg, code)
		case res.StatusCode == code:
			return res
		}
	}
}

func relayBye(l *lab, a, b *sipnet.Peer) {
	l.Helper()
	a.Request(sip.BYE)
	b.Reply(b.ExpectRequest(l, sip.BYE), 200, "OK")
	a.ExpectResponse(l, 200)
}

// relayed plays a flow through a proxy and returns all messages byte for byte, except for
// what sipgo chooses at random. It has no timers if opts is nil.
func relayed(t *testing.T, app proxying, play func(l *lab, a, b *sipnet.Peer), opts []middleware.Option) (wire []string) {
	bubble.Test(t, func(t *testing.T) {
		l := &lab{T: t, net: sipnet.New()}
		defer func() { synctest.Wait(); sipua.Stop(l.net, l.uas...) }()
		ua := newUA(l.T)
		server, err := sipgo.NewServer(ua, sipgo.WithServerLogger(sipua.Quiet))
		if err != nil {
			l.Fatal(err)
		}
		app.client, err = sipgo.NewClient(ua, sipgo.WithClientAddr(bobAddr), sipgo.WithClientConnectionAddr(bobAddr))
		if err != nil {
			l.Fatal(err)
		}
		timers, err := middleware.New(ua, append([]middleware.Option{middleware.WithLogger(sipua.Quiet)}, opts...)...)
		if err != nil {
			l.Fatal(err)
		}
		l.uas = append(l.uas, &sipua.UA{UA: ua, Timers: timers})
		var srv registrar = server
		if opts != nil {
			if srv, err = timers.Attach(server, app.client); err != nil {
				l.Fatal(err)
			}
		}
		srv.OnInvite(app.route)
		srv.OnAck(app.ack)
		srv.OnBye(app.route)
		srv.OnOptions(app.route)
		conn := l.net.PacketConn(bobAddr)
		go func() { _ = server.ServeUDP(conn) }()
		a, b := l.peer(), l.net.Peer(calleeAddr)
		b.Send(bobAddr, "\r\n") // sipgo knows its address from now on, and needs no socket of its own
		synctest.Wait()
		play(l, a, b)
		synctest.Wait()
		if n := dialogsOf(timers); n > 0 {
			l.Errorf("%d dialogs of relayed calls are stored, want none", n)
		}
		time.Sleep(64 * sip.T1)
		for _, m := range l.net.Messages() {
			wire = append(wire, m.From+" "+m.To+"\n"+byLot.ReplaceAllString(string(m.Raw), "${1}lot"))
		}
	})
	return wire
}

func dialogsOf(timers *middleware.Timers) int {
	_, _, n := timers.Left()
	return n
}

// byLot matches what sipgo chooses at random: branches of the proxy, and tags of its own
// responses.
var byLot = regexp.MustCompile(`(10\.0\.0\.2(?::5060)?[^\r\n]*;branch=z9hG4bK|;tag=)(?:\.\w{16}|[0-9a-f]{8}-[0-9a-f-]{27})`)

// G-08: a relayed call is the same as without timers, on both sides and from its INVITE to
// its end: the messages are equal byte for byte.
func TestRelayedCallsAreLeftAlone(t *testing.T) {
	for name, play := range relayFlows {
		for how, app := range map[string]proxying{"as it is": {}, "a copy": {clone: true}, "after a 180 of its own": {ring: true}} {
			t.Run(name+"/"+how, func(t *testing.T) {
				without := relayed(t, app, play, nil)
				with := relayed(t, app, play, []middleware.Option{middleware.WithRefresher(sessiontimer.Local)})
				if diff := cmp.Diff(without, with); diff != "" {
					t.Errorf("the wire differs (-without timers +with):\n%s", diff)
				}
				if len(without) < 4 {
					t.Errorf("%d messages, want a call", len(without))
				}
			})
		}
	}
}

// G-08: so is a request that is too long for a datagram with what the proxy adds: its
// application is told.
func TestRelayedRequestTooLong(t *testing.T) {
	play := func(l *lab, a, b *sipnet.Peer) {
		a.Invite(bobAddr, timerHeader, se1800, "X-Fill: "+strings.Repeat("x", 1500))
		a.Ack(final(l, a, 500))
		relayedCall(l, a, b, timerHeader, se1800, allow)
		relayBye(l, a, b)
	}
	app := proxying{clone: true}
	without := relayed(t, app, play, nil)
	if diff := cmp.Diff(without, relayed(t, app, play, []middleware.Option{})); diff != "" {
		t.Errorf("the wire differs (-without timers +with):\n%s", diff)
	}
}

// G-08: that calls are relayed is logged once, and calls that the same application answers
// itself have timers.
func TestRelayedAmongOwn(t *testing.T) {
	inLab(t, func(l *lab) {
		var out syncBuffer
		bob := l.bob(middleware.WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
		a, b := l.peer(), l.net.Peer(calleeAddr)
		l.badPeer = true
		p := &proxying{client: bob.Client}
		b.Send(bobAddr, "\r\n")
		relays := true
		mine := func(d *sipgo.DialogServerSession) { _ = d.RespondSDP([]byte(bob.SDP)) }
		bob.Accept = mine
		own := bob.Server
		own.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
			if relays {
				p.route(req, tx)
				return
			}
			res := sip.NewSDPResponseFromRequest(req, []byte(bob.SDP))
			res.AppendHeader(&sip.ContactHeader{Address: bobURI})
			_ = tx.Respond(res)
		})
		own.OnAck(func(req *sip.Request, tx sip.ServerTransaction) {
			if relays {
				p.ack(req, tx)
			}
		})
		own.OnBye(p.route)
		for range 2 {
			relayedCall(l, a, b, timerHeader, se1800)
			relayBye(l, a, b)
		}
		relays = false
		a.Invite(bobAddr, timerHeader, se1800)
		res := wantStatus(l, a, "a call that is answered here", 200)
		a.Ack(res)
		if field(res, "Session-Expires") == "" {
			l.Error("a call that is answered here has no timer")
		}
		if n := strings.Count(out.buf.String(), "call forwarded as by a proxy"); n != 1 {
			l.Errorf("it is logged %d times that calls are relayed, want once:\n%s", n, out.buf.String())
		}
	})
}

// G-08: if an application relays without its client, that shows when it passes on a
// re-INVITE with the client: from then on the call is neither refreshed nor ended.
func TestRelayFoundOutLater(t *testing.T) {
	inLab(t, func(l *lab) {
		bob := l.bob(middleware.WithRefresher(sessiontimer.Local))
		a, b := l.peer(), l.net.Peer(calleeAddr)
		l.badPeer = true
		p := &proxying{client: bob.Client}
		b.Send(bobAddr, "\r\n")
		bob.ReInvite = func(req *sip.Request, tx sip.ServerTransaction) { p.route(req, tx) }
		l.peerCalls(a, bob, timerHeader, allow, "Session-Expires: 1800")
		a.Request(sip.INVITE, timerHeader, se1800, hold)
		b.Reply(b.ExpectRequest(l, sip.INVITE), 200, "OK", timerHeader, se1800)
		res := wantStatus(l, a, "the re-INVITE", 200)
		if len(res.GetHeaders("Allow")) > 0 {
			l.Errorf("the 200 that is passed on says Allow %q, want it as b sent it", field(res, "Allow"))
		}
		l.at(24 * time.Hour)
		l.wantSent(bobAddr, sip.UPDATE)
		l.wantSent(bobAddr, sip.BYE)
		if n := dialogsOf(bob.Timers); n != 0 {
			l.Errorf("%d dialogs are stored, want none", n)
		}
	})
}

package middleware_test

import (
	"context"
	"fmt"
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

// house is a user agent whose servers and clients the test makes.
type house struct {
	*sipua.UA
	l       *lab
	answers *sipgo.DialogServerCache
	calls   *sipgo.DialogClientCache
	taken   *sipgo.DialogServerSession
}

func (l *lab) house(opts ...middleware.Option) *house {
	l.Helper()
	ua := newUA(l.T)
	timers, err := middleware.New(ua, append([]middleware.Option{middleware.WithLogger(sipua.Quiet), middleware.WithJitter(0),
		middleware.WithRefresher(sessiontimer.Local)}, opts...)...)
	if err != nil {
		l.Fatal(err)
	}
	h := &house{UA: &sipua.UA{Name: "bob", UA: ua, Timers: timers}, l: l}
	l.uas = append(l.uas, h.UA)
	return h
}

func (h *house) server() *sipgo.Server {
	h.l.Helper()
	server, err := sipgo.NewServer(h.UA.UA, sipgo.WithServerLogger(sipua.Quiet))
	if err != nil {
		h.l.Fatal(err)
	}
	return server
}

func (h *house) client(opts ...sipgo.ClientOption) *sipgo.Client {
	h.l.Helper()
	client, err := sipgo.NewClient(h.UA.UA, opts...)
	if err != nil {
		h.l.Fatal(err)
	}
	return client
}

// dialogs are the dialog caches of an application; client is the one that it calls with.
func (h *house) dialogs(client *sipgo.Client, addr string) {
	contact := sip.ContactHeader{Address: uriOf(addr, "udp")}
	h.answers, h.calls = sipgo.NewDialogServerCache(client, contact), sipgo.NewDialogClientCache(client, contact)
}

// handle registers the handlers of an application.
func (h *house) handle(srv registrar) {
	srv.OnInvite(h.onInvite)
	srv.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = h.answers.ReadAck(req, tx) })
	srv.OnBye(h.onBye)
}

func (h *house) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	d, err := h.answers.ReadInvite(req, tx)
	if err != nil {
		h.l.Errorf("ReadInvite: %v", err)
		return
	}
	h.taken = d
	_ = d.RespondSDP([]byte(hold))
}

func (h *house) onBye(req *sip.Request, tx sip.ServerTransaction) {
	if h.answers.ReadBye(req, tx) != nil {
		_ = h.calls.ReadBye(req, tx)
	}
}

func (h *house) listen(srv interface{ TransportLayer() *sip.TransportLayer }, addrs ...string) {
	for _, addr := range addrs {
		conn := h.l.net.PacketConn(addr)
		go func() { _ = srv.TransportLayer().ServeUDP(conn) }()
	}
	synctest.Wait()
}

// call calls the peer from the application; the peer accepts.
func (h *house) call(p *sipnet.Peer) *sipgo.DialogClientSession {
	h.l.Helper()
	var d *sipgo.DialogClientSession
	done := make(chan error, 1)
	go func() {
		var err error
		if d, err = h.calls.Invite(context.Background(), peerURI, []byte(hold)); err == nil {
			if err = d.WaitAnswer(context.Background(), sipgo.AnswerOptions{}); err == nil {
				err = d.Ack(context.Background())
			}
		}
		done <- err
	}()
	p.Reply(p.ExpectRequest(h.l, sip.INVITE), 200, "OK", allow, timerHeader, se1800)
	p.ExpectRequest(h.l, sip.ACK)
	if err := <-done; err != nil {
		h.l.Fatal(err)
	}
	return d
}

// There are several equivalent ways to attach a server and clients: in each, calls are
// refreshed, and the application learns of their end.
func TestDoors(t *testing.T) {
	type door func(h *house) (*middleware.Server, *sipgo.Client, error)
	for name, open := range map[string]door{
		"made by the timers": func(h *house) (*middleware.Server, *sipgo.Client, error) {
			client, err := h.Timers.NewClient(sipgo.WithClientAddr(bobAddr), sipgo.WithClientConnectionAddr(bobAddr))
			if err != nil {
				return nil, nil, err
			}
			srv, err := h.Timers.NewServer(sipgo.WithServerLogger(sipua.Quiet))
			return srv, client, err
		},
		"attached": func(h *house) (*middleware.Server, *sipgo.Client, error) {
			client := h.client(sipgo.WithClientAddr(bobAddr), sipgo.WithClientConnectionAddr(bobAddr))
			srv, err := h.Timers.Attach(h.server(), client)
			return srv, client, err
		},
		"attached, client nil": func(h *house) (*middleware.Server, *sipgo.Client, error) {
			srv, err := h.Timers.Attach(h.server(), nil)
			return srv, h.client(), err
		},
		"attached without a client": func(h *house) (*middleware.Server, *sipgo.Client, error) {
			srv, err := h.Timers.Attach(h.server())
			return srv, h.client(), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				h, p := l.house(), l.peer()
				srv, client, err := open(h)
				if err != nil {
					l.Fatal(err)
				}
				h.dialogs(client, bobAddr)
				h.handle(srv)
				h.listen(srv, bobAddr)
				p.Invite(bobAddr, timerHeader, allow, "Session-Expires: 1800")
				res := p.ExpectResponse(l, 200)
				if got := field(res, "Session-Expires"); got != "1800;refresher=uas" {
					l.Errorf("the 200 says Session-Expires %q", got)
				}
				p.Ack(res)
				l.at(900 * time.Second)
				update := p.ExpectRequest(l, sip.UPDATE)
				if update.Source() != bobAddr {
					l.Errorf("the refresh comes from %s, want %s", update.Source(), bobAddr)
				}
				p.Reply(update, 481, "Gone")
				p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
				l.wantEnded("bob", h.taken)
			})
		})
	}
}

// Each call is refreshed by the client that began it, or that has its address.
func TestSeveralClients(t *testing.T) {
	t.Run("two hosts", func(t *testing.T) { severalClients(t, "10.0.0.2:5060", "10.0.1.2:5060") })
	t.Run("two ports", func(t *testing.T) { severalClients(t, "10.0.0.2:5060", "10.0.0.2:5070") })
}

func severalClients(t *testing.T, inside, outside string) {
	client := func(addr string) []sipgo.ClientOption {
		return []sipgo.ClientOption{sipgo.WithClientAddr(addr), sipgo.WithClientConnectionAddr(addr)}
	}
	for _, made := range []bool{true, false} {
		for _, addr := range []string{inside, outside} {
			for _, incoming := range []bool{true, false} {
				t.Run(fmt.Sprintf("made=%v %s incoming=%v", made, addr, incoming), func(t *testing.T) {
					inLab(t, func(l *lab) {
						h, p := l.house(), l.peer()
						clients := make(map[string]*sipgo.Client)
						var srv *middleware.Server
						var err error
						if made {
							srv, err = h.Timers.NewServer(sipgo.WithServerLogger(sipua.Quiet))
							clients[inside], _ = h.Timers.NewClient(client(inside)...)
							clients[outside], _ = h.Timers.NewClient(client(outside)...)
						} else {
							clients[inside], clients[outside] = h.client(client(inside)...), h.client(client(outside)...)
							srv, err = h.Timers.Attach(h.server(), clients[inside], clients[outside])
						}
						if err != nil {
							l.Fatal(err)
						}
						h.dialogs(clients[addr], addr)
						h.handle(srv)
						h.listen(srv, inside, outside)
						if incoming {
							p.Invite(addr, timerHeader, allow, "Session-Expires: 1800")
							p.Ack(p.ExpectResponse(l, 200))
						} else {
							h.call(p)
						}
						l.at(900 * time.Second)
						update := p.ExpectRequest(l, sip.UPDATE)
						if via := fmt.Sprintf("%s:%d", update.Via().Host, update.Via().Port); update.Source() != addr || via != addr {
							l.Errorf("the refresh comes from %s and says Via %s, want %s", update.Source(), via, addr)
						}
						p.Reply(update, 200, "OK", se1800)
						synctest.Wait()
					})
				})
			}
		}
	}
}

// sipgo passes all requests to the server of a user agent that was made last. Its
// application learns of the end of a call, whichever server was attached last.
func TestSeveralServers(t *testing.T) {
	inLab(t, func(l *lab) {
		h, p := l.house(), l.peer()
		client := h.client(sipgo.WithClientAddr(bobAddr), sipgo.WithClientConnectionAddr(bobAddr))
		idle, err := h.Timers.Attach(h.server(), client)
		if err != nil {
			l.Fatal(err)
		}
		srv, err := h.Timers.Attach(h.server(), client)
		if err != nil {
			l.Fatalf("a second server with the same client: %v", err)
		}
		h.dialogs(client, bobAddr)
		h.handle(srv)
		for _, method := range []sip.RequestMethod{sip.INVITE, sip.ACK, sip.BYE, sip.UPDATE} {
			idle.OnRequest(method, func(req *sip.Request, _ sip.ServerTransaction) {
				l.Errorf("a server that gets no requests is told of a %s", req.Method)
			})
		}
		h.listen(srv, bobAddr)
		p.Invite(bobAddr, timerHeader, allow, "Session-Expires: 1800;refresher=uac")
		p.Ack(p.ExpectResponse(l, 200))
		l.at(1768 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
		l.wantEnded("bob", h.taken)
	})
}

// Handlers of the timers' server may be registered while it serves; the race detector
// checks this.
func TestHandlersRegisteredLate(t *testing.T) {
	inLab(t, func(l *lab) {
		h, p := l.house(), l.peer()
		srv, err := h.Timers.Attach(h.server())
		if err != nil {
			l.Fatal(err)
		}
		h.dialogs(h.client(), bobAddr)
		h.listen(srv, bobAddr)
		p.Invite(bobAddr, timerHeader)
		p.Ack(wantStatus(l, p, "an INVITE before there is a handler", 405))
		p.Invite(bobAddr, timerHeader)
		h.handle(srv)
		msg, _ := p.Recv(time.Second)
		res, ok := msg.(*sip.Response)
		if !ok || res.StatusCode != 405 && res.StatusCode != 200 {
			l.Fatalf("an INVITE while handlers are registered gets %v", msg)
		}
		p.Ack(res)
		p.Invite(bobAddr, timerHeader, se1800)
		res = wantStatus(l, p, "an INVITE afterwards", 200)
		p.Ack(res)
		if field(res, "Session-Expires") == "" {
			l.Error("the 200 has no Session-Expires")
		}
	})
}

// Handlers of other methods may be registered on either server at any time.
func TestOtherHandlersBefore(t *testing.T) {
	inLab(t, func(l *lab) {
		h, p := l.house(), l.peer()
		server := h.server()
		ok := func(req *sip.Request, tx sip.ServerTransaction) {
			_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
		}
		server.OnOptions(ok)
		server.OnRegister(ok)
		srv, err := h.Timers.Attach(server, nil)
		if err != nil {
			l.Fatalf("OPTIONS and REGISTER are there before: %v", err)
		}
		server.OnInfo(ok)
		h.dialogs(h.client(), bobAddr)
		h.handle(srv)
		srv.OnMessage(ok)
		h.listen(srv, bobAddr)
		p.Invite(bobAddr, timerHeader)
		res := p.ExpectResponse(l, 200)
		p.Ack(res)
		for _, method := range []sip.RequestMethod{sip.OPTIONS, sip.REGISTER, sip.INFO, sip.MESSAGE} {
			p.Request(method)
			wantStatus(l, p, string(method), 200)
		}
		p.Request(sip.PUBLISH)
		wantStatus(l, p, "PUBLISH, for which there is no handler", 405)
		if got, want := field(res, "Allow"), "INVITE, ACK, CANCEL, BYE, INFO, MESSAGE, OPTIONS, REGISTER, UPDATE"; got != want {
			l.Errorf("the 200 says Allow %q, want %q", got, want)
		}
	})
}

// OnNoRoute gets requests without a handler, except those that the timers answer.
func TestNoRouteBehindTimers(t *testing.T) {
	inLab(t, func(l *lab) {
		h, p := l.house(), l.peer()
		srv, err := h.Timers.NewServer(sipgo.WithServerLogger(sipua.Quiet))
		if err != nil {
			l.Fatal(err)
		}
		h.dialogs(h.client(), bobAddr)
		srv.OnInvite(h.onInvite)
		srv.OnAck(func(req *sip.Request, tx sip.ServerTransaction) { _ = h.answers.ReadAck(req, tx) })
		srv.OnNoRoute(func(req *sip.Request, tx sip.ServerTransaction) {
			if req.Method == sip.BYE {
				h.onBye(req, tx)
				return
			}
			_ = tx.Respond(sip.NewResponseFromRequest(req, 299, "No route", nil))
		})
		h.listen(srv, bobAddr)
		p.Invite(bobAddr, timerHeader, "Session-Expires: 1800;refresher=uac")
		p.Ack(p.ExpectResponse(l, 200))
		for _, c := range []struct {
			method sip.RequestMethod
			body   string
			want   int
		}{{sip.PUBLISH, "", 299}, {sip.UPDATE, "", 200}, {sip.UPDATE, hold, 299}} {
			p.Request(c.method, timerHeader, se1800, c.body)
			wantStatus(l, p, fmt.Sprintf("%s with %d bytes", c.method, len(c.body)), c.want)
		}
		l.at(1768 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
		l.wantEnded("bob", h.taken)
	})
}

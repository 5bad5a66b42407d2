package middleware_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// complaints returns the log lines at level error, once all is quiet: sipgo shows a message
// to the timers beside its handler, so that the call may go on before they have logged it.
func complaints(b *syncBuffer) []string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(strings.Split(b.buf.String(), "\n"), func(line string) bool {
		return !strings.Contains(line, "level=ERROR")
	})
}

func logTo(b *syncBuffer) middleware.Option {
	return middleware.WithLogger(slog.New(slog.NewTextHandler(b, nil)))
}

// A handler that bypasses the timers is an error in the log at the first INVITE, which
// names the method: for each alone, for several and for all, even if another handler is
// registered with the timers. It is logged once.
func TestHandlersPastTheTimers(t *testing.T) {
	all := []sip.RequestMethod{sip.ACK, sip.BYE, sip.INVITE, sip.UPDATE}
	cases := [][]sip.RequestMethod{nil, {sip.BYE, sip.INVITE}, all}
	for _, method := range all {
		cases = append(cases, []sip.RequestMethod{method})
	}
	for _, past := range cases {
		for _, both := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v both=%v", past, both), func(t *testing.T) {
				inLab(t, func(l *lab) {
					var out syncBuffer
					h, p := l.house(logTo(&out)), l.peer()
					server := h.server()
					srv, err := h.Timers.Attach(server)
					if err != nil {
						l.Fatal(err)
					}
					h.dialogs(h.client(), bobAddr)
					for method, handler := range map[sip.RequestMethod]sipgo.RequestHandler{
						sip.INVITE: h.onInvite, sip.BYE: h.onBye,
						sip.ACK:    func(req *sip.Request, tx sip.ServerTransaction) { _ = h.answers.ReadAck(req, tx) },
						sip.UPDATE: func(req *sip.Request, tx sip.ServerTransaction) { respondOK(req, tx) },
					} {
						if slices.Contains(past, method) {
							server.OnRequest(method, handler)
						}
						if !slices.Contains(past, method) || both {
							srv.OnRequest(method, handler)
						}
					}
					server.OnOptions(respondOK)
					h.listen(srv, bobAddr)
					p.Invite(bobAddr, timerHeader, se1800)
					atFirst := complaints(&out)
					for range 2 {
						p.Ack(p.ExpectResponse(l, 200))
						p.Request(sip.BYE)
						p.ExpectResponse(l, 200)
						p.Invite(bobAddr, timerHeader, se1800)
					}
					p.Ack(p.ExpectResponse(l, 200))
					if after := complaints(&out); len(after) != min(len(past), 1) || len(atFirst) != len(after) {
						l.Fatalf("the log says %q at the first INVITE and %q after three, want one error if there is a fault", atFirst, after)
					}
					if len(past) > 0 && !strings.Contains(atFirst[0], named(past)) {
						l.Errorf("the log says %q, want it to name %s", atFirst[0], named(past))
					}
				})
			})
		}
	}
}

// named returns methods as the log names them.
func named(methods []sip.RequestMethod) string {
	var names []string
	for _, m := range methods {
		names = append(names, string(m))
	}
	if len(names) == 1 {
		return "methods=" + names[0] + " "
	}
	return fmt.Sprintf("methods=%q ", strings.Join(names, ", "))
}

// For a user agent that only calls, the error comes at its first call.
func TestHandlersPastTheTimersOfACaller(t *testing.T) {
	inLab(t, func(l *lab) {
		var out syncBuffer
		h, p := l.house(logTo(&out)), l.peer()
		server, client := h.server(), h.client(sipgo.WithClientAddr(bobAddr), sipgo.WithClientConnectionAddr(bobAddr))
		if _, err := h.Timers.Attach(server, client); err != nil {
			l.Fatal(err)
		}
		h.dialogs(client, bobAddr)
		server.OnBye(h.onBye)
		h.listen(server, bobAddr)
		h.call(p)
		if got := complaints(&out); len(got) != 1 || !strings.Contains(got[0], "methods=BYE ") {
			l.Errorf("the log says %v, want one error that names BYE", got)
		}
	})
}

// A call of a client that is not attached is logged as an error, once. A call of an
// attached client is not, even if the timers leave it alone, nor is our own re-INVITE in
// an incoming call.
func TestCallsPastTheTimers(t *testing.T) {
	for _, attached := range []bool{false, true} {
		t.Run(fmt.Sprintf("attached=%v", attached), func(t *testing.T) {
			inLab(t, func(l *lab) {
				var out syncBuffer
				leftAlone := middleware.WithPolicyFunc(func(_ *sip.Request, outgoing bool, p sessiontimer.Policy) sessiontimer.Policy {
					if outgoing {
						p.Mode = sessiontimer.Off
					}
					return p
				})
				h, p := l.house(logTo(&out), leftAlone, middleware.WithMethod(sessiontimer.MethodReInvite)), l.net.Peer("192.0.2.9:5060")
				server, client := h.server(), h.client(sipgo.WithClientAddr(bobAddr), sipgo.WithClientConnectionAddr(bobAddr))
				clients := []*sipgo.Client{nil}
				if attached {
					clients[0] = client
				}
				srv, err := h.Timers.Attach(server, clients...)
				if err != nil {
					l.Fatal(err)
				}
				h.dialogs(client, bobAddr)
				h.handle(srv)
				h.listen(srv, bobAddr)
				p.Invite(bobAddr, timerHeader, "Session-Expires: 1800;refresher=uas")
				p.Ack(p.ExpectResponse(l, 200))
				l.at(900 * time.Second)
				p.Reply(p.ExpectRequest(l, sip.INVITE), 200, "OK", timerHeader, "Session-Expires: 1800;refresher=uac")
				p.ExpectRequest(l, sip.ACK)
				if got := complaints(&out); len(got) != 0 {
					l.Fatalf("after a call that came in the log says %v, want nothing", got)
				}
				h.call(l.peer())
				want := 1
				if attached {
					want = 0
				}
				if got := complaints(&out); len(got) != want || want == 1 && !strings.Contains(got[0], "NewClient") {
					l.Errorf("after a call of ours the log says %v, want %d errors", got, want)
				}
			})
		})
	}
}

// If no request reaches a handler of ours, the first call logs it.
func TestRequestsPastTheTimers(t *testing.T) {
	for _, c := range []struct {
		name string
		past func(h *house, attached *sipgo.Server)
	}{
		{"OnNoRoute of the attached server", func(h *house, attached *sipgo.Server) {
			attached.OnNoRoute(func(req *sip.Request, tx sip.ServerTransaction) {
				if !req.IsAck() {
					respondOK(req, tx)
				}
			})
		}},
		{"another server", func(h *house, _ *sipgo.Server) { h.handle(h.server()) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				var out syncBuffer
				h, p := l.house(logTo(&out)), l.peer()
				server := h.server()
				srv, err := h.Timers.Attach(server)
				if err != nil {
					l.Fatal(err)
				}
				h.dialogs(h.client(), bobAddr)
				h.handle(srv)
				c.past(h, server)
				h.listen(srv, bobAddr)
				p.Invite(bobAddr, timerHeader, se1800)
				res := p.ExpectResponse(l, 200)
				if field(res, "Session-Expires") != "" {
					l.Fatal("the 200 has Session-Expires, want the call past the timers")
				}
				p.Ack(res)
				if got := complaints(&out); len(got) != 1 || !strings.Contains(got[0], "OnNoRoute") || !strings.Contains(got[0], "another server") {
					l.Errorf("after a call past the timers the log says %v, want one error that says what may be wrong", got)
				}
			})
		})
	}
}

func respondOK(req *sip.Request, tx sip.ServerTransaction) {
	_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
}

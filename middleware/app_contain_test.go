package middleware_test

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// panics are functions of an application that only panic, and what the log says of that.
var panics = []struct {
	what, logged string
	opt          middleware.Option
}{
	{"event handler", inApplication, middleware.WithEventHandler(func(sessiontimer.Event) { panic("of the test") })},
	{"policy function", inApplication, middleware.WithPolicyFunc(func(*sip.Request, bool, sessiontimer.Policy) sessiontimer.Policy { panic("of the test") })},
	{"credentials function", inApplication, middleware.WithCredentialsFunc(func(dialogstore.Dialog, string) (string, string, bool) { panic("of the test") })},
	{"registry", "registry panicked", on(struct{ failover.Registry }{})}, // its methods are those of nil
	{"logger", "", middleware.WithLogger(slog.New(panickingLog{}))},
}

const inApplication = "panic in the application's "

type panickingLog struct{}

func (panickingLog) Enabled(context.Context, slog.Level) bool  { return true }
func (panickingLog) Handle(context.Context, slog.Record) error { panic("of the test") }
func (panickingLog) WithAttrs([]slog.Attr) slog.Handler        { return panickingLog{} }
func (panickingLog) WithGroup(string) slog.Handler             { return panickingLog{} }

// A panic in a function that only the timers call costs its result. The call is still
// refreshed by both sides, ends as usual, and leaves nothing behind.
func TestPanicOfWhatWeCall(t *testing.T) {
	for _, row := range panics {
		for _, caller := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, caller=%v", row.what, caller), func(t *testing.T) {
				var log syncBuffer
				inLab(t, func(l *lab) {
					opts := []middleware.Option{middleware.WithLogger(slog.New(slog.NewTextHandler(&log, nil))), row.opt}
					p, u, d := l.peer(), (*sipua.UA)(nil), dialog(nil)
					if caller {
						u = l.alice(opts...)
						d = l.callPeer(u, p, allow, timerHeader, se1800)
					} else {
						u = l.bob(opts...)
						d, _ = l.peerCalls(p, u, allow, timerHeader, "Session-Expires: 1800;refresher=uas")
					}
					l.at(900 * time.Second)
					p.Reply(p.ExpectRequest(l, sip.UPDATE), 407, "No", asks(407, `realm="r", nonce="n"`).header)
					p.Request(sip.UPDATE, timerHeader, "Session-Expires: 1800;refresher=uas")
					p.ExpectResponse(l, 200)
					l.at(1800 * time.Second)
					p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", se1800)
					synctest.Wait()
					l.wantAlive(u.Name, d)
					l.at(2700 * time.Second)
					p.Reply(p.ExpectRequest(l, sip.UPDATE), 481, "Gone")
					p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
					l.wantEnded(u.Name, d)
					l.wantNothingLeft(u)
				})
				text := row.logged
				if text == inApplication {
					text += row.what
				}
				// Credentials are not used in a call that the peer made.
				want := text != "" && (caller || row.what != "credentials function")
				if got := text != "" && strings.Contains(log.buf.String(), text); got != want {
					t.Errorf("the log tells of the panic: %v:\n%s", got, log.buf.String())
				}
			})
		}
	}
}

// A panic of a handler reaches our caller, as it does without timers. If the application
// recovers there, the same request is handled again, and the call is refreshed and ends
// as usual.
func TestPanicOfHandlers(t *testing.T) {
	for _, row := range []struct {
		name   string
		method sip.RequestMethod
		with   []string // in the request of the peer
		again  int      // the status that it gets once the handler is well
		opt    middleware.Option
	}{
		{"re-INVITE", sip.INVITE, []string{sdp2}, 200, middleware.WithAnswerReInvite(false)},
		{"UPDATE", sip.UPDATE, []string{sdp2}, 200, middleware.WithAnswerUpdate(false)},
		{"UPDATE without a body", sip.UPDATE, nil, 200, middleware.WithAnswerUpdate(false)},
		{"BYE", sip.BYE, nil, 200, middleware.WithAnswerUpdate(true)},
	} {
		t.Run(row.name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				bob, p := l.bob(row.opt), l.peer()
				l.peerCalls(p, bob, allow, timerHeader, "Session-Expires: 1800;refresher=uas")
				ill := true
				var caught []any
				handler := bob.Timers.Handler(func(req *sip.Request, tx sip.ServerTransaction) {
					if ill {
						panic(row.name)
					}
					_ = tx.Respond(sip.NewSDPResponseFromRequest(req, []byte(bob.SDP)))
				})
				bob.Server.Server.OnRequest(row.method, func(req *sip.Request, tx sip.ServerTransaction) {
					defer func() {
						if v := recover(); v != nil {
							caught = append(caught, v)
						}
					}()
					handler(req, tx)
				})
				headers := append([]string{timerHeader, "Session-Expires: 1800;refresher=uas"}, row.with...)
				for range 2 {
					p.Request(row.method, headers...)
					p.Quiet(l, time.Second)
				}
				synctest.Wait()
				if len(caught) != 2 || caught[0] != row.name || caught[1] != row.name {
					l.Errorf("the application recovers %q, want its own panic, twice", caught)
				}
				l.at(900 * time.Second)
				p.Reply(p.ExpectRequest(l, sip.UPDATE), 200, "OK", se1800)
				synctest.Wait()
				ill = false
				p.Request(row.method, headers...)
				res := p.ExpectResponse(l, row.again)
				if row.method == sip.INVITE {
					p.Ack(res)
				}
				if row.method != sip.BYE {
					p.Request(sip.BYE)
					p.ExpectResponse(l, 200)
				}
				l.wantNothingLeft(bob)
			})
		})
	}
}

// We answer an UPDATE that was passed on as an INVITE even if the handler panics.
func TestPanicOfAnInviteThatWasAnUpdate(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithOfferUpdate(true)), l.peer()
		l.peerCalls(p, bob, allow, timerHeader, se1800)
		bob.Timers.SetHost(middleware.Host{
			Invite:  func(*sip.Request, sip.ServerTransaction) { panic("of the test") },
			Methods: func() []string { return nil },
		})
		var caught any
		handler := bob.Timers.Handler(nil)
		bob.Server.Server.OnUpdate(func(req *sip.Request, tx sip.ServerTransaction) {
			defer func() { caught = recover() }()
			handler(req, tx)
		})
		p.Request(sip.UPDATE, timerHeader, se1800, sdp2)
		p.ExpectResponse(l, 488)
		synctest.Wait()
		if caught != "of the test" {
			l.Errorf("the application recovers %v, want its own panic", caught)
		}
		p.Request(sip.UPDATE, timerHeader, se1800)
		p.ExpectResponse(l, 200)
	})
}

// A first INVITE whose handler panics leaves nothing behind, and the next one is answered.
func TestPanicOfTheFirstInvite(t *testing.T) {
	inLab(t, func(l *lab) {
		bob, p := l.bob(), l.peer()
		bob.Accept = func(d *sipgo.DialogServerSession) {
			defer func() { _ = recover() }()
			_ = d.Respond(180, "Ringing", nil)
			panic("of the test")
		}
		p.Invite(bob.Addr, allow, timerHeader, se1800)
		p.ExpectResponse(l, 180)
		l.wantNothingLeft(bob)
	})
}

// An event handler that ends its goroutine, as t.FailNow does, keeps no call from ending.
func TestGoexitOfTheEventHandler(t *testing.T) {
	for _, at := range []sessiontimer.Event{sessiontimer.Expired{}, sessiontimer.Ended{}} {
		t.Run(fmt.Sprintf("%T", at), func(t *testing.T) {
			inLab(t, func(l *lab) {
				exits := middleware.WithEventHandler(func(e sessiontimer.Event) {
					if reflect.TypeOf(e) == reflect.TypeOf(at) {
						runtime.Goexit()
					}
				})
				bob, p := l.bob(exits), l.peer()
				d, _ := l.peerCalls(p, bob, allow, timerHeader, "Session-Expires: 1800;refresher=uac")
				l.at(1768 * time.Second)
				p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
				l.wantEnded(bob.Name, d)
				l.wantNothingLeft(bob)
			})
		})
	}
}

// A BYE handler that panics when we hang up does so in a goroutine of ours: the panic is
// logged, the peer gets its BYE, and nothing is left behind.
func TestPanicOfTheByeHandler(t *testing.T) {
	var log syncBuffer
	inLab(t, func(l *lab) {
		bob, p := l.bob(middleware.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))), l.peer()
		bob.Server.OnBye(func(*sip.Request, sip.ServerTransaction) { panic("of the test") })
		l.peerCalls(p, bob, allow, timerHeader, se1800)
		l.at(1768 * time.Second)
		p.Reply(p.ExpectRequest(l, sip.BYE), 200, "OK")
		l.wantNothingLeft(bob)
	})
	if !strings.Contains(log.buf.String(), "panic in the application's BYE handler") {
		t.Errorf("the log does not tell of the panic:\n%s", log.buf.String())
	}
}

// So does a host's media handler, or its ACK handler, that panics when media have moved: the
// call goes on.
func TestPanicOfTheMediaHandler(t *testing.T) {
	fails := func(*sip.Request, sip.ServerTransaction) { panic("of the test") }
	accepts := func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
	}
	for name, host := range map[string]middleware.Host{"media": {Media: fails}, "ACK": {Media: accepts, Ack: fails}} {
		t.Run(name, func(t *testing.T) {
			var log syncBuffer
			inLab(t, func(l *lab) {
				alice, p := l.alice(middleware.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))), l.peer()
				host.Bye, host.Methods = func(*sip.Request, sip.ServerTransaction) {}, func() []string { return nil }
				d := l.callPeer(alice, p, timerHeader, se1800)
				alice.Timers.SetHost(host)
				other := audioSDP("peer", 2, "10.0.0.77", 4000)
				for _, at := range []time.Duration{900, 1800} {
					l.at(at * time.Second)
					l.refreshedWith(p, other)
				}
				l.wantAlive("alice", d)
			})
			if n := strings.Count(log.buf.String(), "panic in the application's media handler"); n != 1 {
				t.Errorf("the log tells of %d panics, want one:\n%s", n, log.buf.String())
			}
		})
	}
}

// stuck is a function that is called for two calls, and blocks for the first one once
// told to.
type stuck struct {
	callID string        // of the call that gets stuck
	on     string        // the event, or the words of a log line
	free   chan struct{} // closed at the end
	n      int
}

func (s *stuck) wait(callID, what string) {
	if callID == s.callID && strings.Contains(what, s.on) {
		s.n++
		<-s.free
	}
}

// Enabled implements slog.Handler.
func (s *stuck) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (s *stuck) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "call_id" {
			s.wait(a.Value.String(), r.Message)
		}
		return true
	})
	return nil
}

// WithAttrs implements slog.Handler.
func (s *stuck) WithAttrs([]slog.Attr) slog.Handler { return s }

// WithGroup implements slog.Handler.
func (s *stuck) WithGroup(string) slog.Handler { return s }

// An event handler or logger that does not return stops its own call and no other, even
// if only one request at a time may be unanswered.
func TestBlockingStopsItsOwnCall(t *testing.T) {
	for _, row := range []struct {
		on     string
		status int // of the answer to the first call's refresh
	}{
		{"Refreshed", 200}, {"RefreshFailed", 500}, {"RefreshFailed", 481}, {"Expired", 481}, {"Ended", 481},
		{"session refreshed", 200}, {"session refresh failed", 500}, {"session refresh failed", 481}, {"ending the call", 481},
	} {
		t.Run(fmt.Sprintf("%s after %d", row.on, row.status), func(t *testing.T) {
			inLab(t, func(l *lab) {
				s := &stuck{on: row.on, free: make(chan struct{})}
				alice, p := l.alice(middleware.WithRefreshLimits(10, 1), middleware.WithLogger(slog.New(s)),
					middleware.WithEventHandler(func(e sessiontimer.Event) { s.wait(e.Info().CallID, fmt.Sprintf("%T", e)) })), l.peer()
				first := l.callPeer(alice, p, allow, timerHeader, se1800)
				time.Sleep(10 * time.Second)
				second := l.callPeer(alice, p, allow, timerHeader, se1800)
				s.callID = first.InviteRequest.CallID().Value()
				l.at(900 * time.Second)
				p.Reply(p.ExpectRequest(l, sip.UPDATE), row.status, "Whatever", se1800)
				l.at(905 * time.Second)
				if s.n == 0 && row.on != "Expired" && row.on != "Ended" && row.on != "ending the call" {
					l.Errorf("nothing is stuck at %s", row.on)
				}
				// The second call goes on, and ends, in time.
				for at := 910 * time.Second; at < 3000*time.Second; at += 900 * time.Second {
					l.at(at)
					p.Reply(nextOf(l, p, second, sip.UPDATE), 200, "OK", se1800)
				}
				l.at(3610 * time.Second)
				p.Reply(nextOf(l, p, second, sip.UPDATE), 481, "Gone")
				p.Reply(nextOf(l, p, second, sip.BYE), 200, "OK")
				l.wantEnded("alice", second)
				if s.n == 0 {
					l.Errorf("nothing is stuck at %s", row.on)
				}
				close(s.free)
				l.at(8000 * time.Second)
				l.wantNothingLeft(alice)
			})
		})
	}
}

// nextOf returns the next request of the call, and answers those of others.
func nextOf(l *lab, p *sipnet.Peer, d *sipgo.DialogClientSession, method sip.RequestMethod) *sip.Request {
	l.Helper()
	for {
		msg, ok := p.Recv(time.Second)
		if !ok {
			l.Fatalf("no %s of the second call at %v", method, l.net.Elapsed())
		}
		req, ok := msg.(*sip.Request)
		switch {
		case !ok:
		case req.CallID().Value() != d.InviteRequest.CallID().Value() && req.Method == sip.BYE:
			p.Reply(req, 481, "Gone")
		case req.CallID().Value() != d.InviteRequest.CallID().Value():
			p.Reply(req, 200, "OK", se1800)
		case req.Method == method:
			return req
		}
	}
}

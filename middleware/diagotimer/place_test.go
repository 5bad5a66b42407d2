package diagotimer_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/sipnet"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/diagotimer"
)

// at is a transport on the in-memory network.
func at(transport, id string) diago.DiagoOption {
	return diago.WithTransport(diago.Transport{ID: id, Transport: transport, BindHost: "127.0.0.1", BindPort: 5060})
}

// TestAnyOrder: whatever the options and their order, a call that comes in and one
// that goes out have timers, and what diago sends is numbered with the refreshes.
func TestAnyOrder(t *testing.T) {
	type build func(timers *middleware.Timers, server *sipgo.Server) (*diago.Diago, error)
	withNew := func(opts func(*sipgo.Server) []diago.DiagoOption) build {
		return func(timers *middleware.Timers, server *sipgo.Server) (*diago.Diago, error) {
			return diagotimer.New(timers, append(opts(server), diagotimer.WithServer(server))...)
		}
	}
	withOption := func(opts ...diago.DiagoOption) build {
		return func(timers *middleware.Timers, server *sipgo.Server) (*diago.Diago, error) {
			return diago.NewDiago(timers.UserAgent(), append(slices.Clone(opts), diagotimer.Option(timers, server))...), nil
		}
	}
	for name, build := range map[string]build{
		"New, no transport":  withNew(func(*sipgo.Server) []diago.DiagoOption { return nil }),
		"New, one transport": withNew(func(*sipgo.Server) []diago.DiagoOption { return []diago.DiagoOption{at("udp", "")} }),
		"New, two transports, one with an ID": withNew(func(*sipgo.Server) []diago.DiagoOption {
			return []diago.DiagoOption{at("tcp", ""), at("udp", "one"), at("udp", "two")}
		}),
		"New, a client": withNew(func(s *sipgo.Server) []diago.DiagoOption {
			client := must(sipgo.NewClient(s.UserAgent, sipgo.WithClientConnectionAddr(phoneAddr)))
			return []diago.DiagoOption{diago.WithClient(client), at("udp", "")}
		}),
		// diago's own option is replaced, which costs the server's handlers, and no timers.
		"New, a server by diago's option": func(timers *middleware.Timers, server *sipgo.Server) (*diago.Diago, error) {
			return diagotimer.New(timers, diago.WithServer(server), at("udp", ""))
		},
		"option alone": withOption(),
		"option":       withOption(at("udp", "")),
		"option, the server by another": func(timers *middleware.Timers, server *sipgo.Server) (*diago.Diago, error) {
			return diago.NewDiago(timers.UserAgent(), diagotimer.WithServer(server), at("udp", ""), diagotimer.Option(timers, nil)), nil
		},
		"option behind some transports": withOption(at("tcp", ""), at("udp", "one"), at("udp", "two")),
	} {
		t.Run(name, func(t *testing.T) {
			for _, role := range []string{"caller", "callee"} {
				bubble.Test(t, func(t *testing.T) {
					n := sipnet.New()
					p := makePhone(t, n, "udp", func(s *sipgo.Server, timers *middleware.Timers) (*diago.Diago, error) { return build(timers, s) },
						middleware.WithRefresher(sessiontimer.Local), middleware.WithSessionExpires(600*time.Second))
					u := sipua.New(t, n, "other", otherAddr, "udp", peerOptions(sessiontimer.Local)...)
					defer p.stop(u)
					c := connect(t, n, p, u, role)
					before := len(n.Messages())
					time.Sleep(650 * time.Second)
					if got := count(n.Messages()[before:], phoneAddr, "UPDATE"); got != 2 {
						t.Errorf("%s: %d refreshes in 650 s of a call of 600 s, want 2", role, got)
					}
					if err := c.Hangup(context.Background()); err != nil {
						t.Errorf("%s: Hangup after refreshes: %v", role, err)
					}
					_ = c.Close()
					synctest.Wait()
					p.wantOver(c)
					sipnet.CheckCSeq(t, n.Messages())
				})
			}
		})
	}
}

// count counts what an address sent.
func count(msgs []sipnet.Message, from, label string) (n int) {
	for _, m := range msgs {
		if m.From == from && sipnet.Label(m.SIP) == label {
			n++
		}
	}
	return n
}

// TestServerAndMiddlewareStay: handlers of the application on its server, and its
// middleware, get what they got without timers.
func TestServerAndMiddlewareStay(t *testing.T) {
	t.Parallel()
	var messages, invites atomic.Int32
	callee := makeDesk(t, quick(sessiontimer.Local), func(ua *sipgo.UserAgent, timers *middleware.Timers) (*diago.Diago, error) {
		server := must(sipgo.NewServer(ua))
		server.OnMessage(func(req *sip.Request, tx sip.ServerTransaction) {
			messages.Add(1)
			_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusOK, "OK", nil))
		})
		return diagotimer.New(timers, diagotimer.WithServer(server), port0("udp", ""),
			diagotimer.WithServerRequestMiddleware(func(next sipgo.RequestHandler) sipgo.RequestHandler {
				return func(req *sip.Request, tx sip.ServerTransaction) {
					if req.IsInvite() {
						invites.Add(1)
					}
					next(req, tx)
				}
			}))
	})
	caller := newDesk(t, lenient, port0("udp", ""))
	callee.serve(t)
	caller.serve(t)
	d := caller.calls(t, callee, diago.NewDialogOptions{})
	await[sessiontimer.Refreshed](t, callee)
	res, err := d.Do(t.Context(), sip.NewRequest(sip.MESSAGE, d.RemoteContact().Address))
	if err != nil || res.StatusCode != 200 || messages.Load() != 1 {
		t.Errorf("a MESSAGE got %v, %v, and the application's handler %d, want one", res, err, messages.Load())
	}
	if got := invites.Load(); got != 1 {
		t.Errorf("the application's middleware got %d INVITEs, want 1", got)
	}
	if err := d.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
}

// foreign is a requester that somebody else set.
type foreign struct{ *sipgo.Client }

func (foreign) Request(context.Context, *sip.Request) (sip.ClientTransaction, error) {
	return nil, errors.New("not for us")
}

// TestRefused: what cannot work is an error at once, and with the option in the log.
func TestRefused(t *testing.T) {
	other := must(sipgo.NewUA())
	t.Cleanup(func() { _ = other.Close() })
	for name, c := range map[string]struct {
		opt  func(ua *sipgo.UserAgent) diago.DiagoOption
		want string
	}{
		"client with a requester": {func(ua *sipgo.UserAgent) diago.DiagoOption {
			client := must(sipgo.NewClient(ua))
			client.TxRequester = foreign{client}
			return diago.WithClient(client)
		}, "the client has a TxRequester already"},
		"client of another user agent": {func(*sipgo.UserAgent) diago.DiagoOption {
			return diago.WithClient(must(sipgo.NewClient(other)))
		}, "the client is of another user agent than the timers"},
		"server of another user agent": {func(*sipgo.UserAgent) diago.DiagoOption {
			return diagotimer.WithServer(must(sipgo.NewServer(other)))
		}, "the server is of another user agent than the timers"},
		"server with a handler for UPDATE": {func(ua *sipgo.UserAgent) diago.DiagoOption {
			server := must(sipgo.NewServer(ua))
			server.OnUpdate(func(*sip.Request, sip.ServerTransaction) {})
			return diagotimer.WithServer(server)
		}, "the server has a handler for UPDATE; give it to timers.Adapter().Handler and register that afterwards"},
	} {
		t.Run(name, func(t *testing.T) {
			ua := must(sipgo.NewUA())
			defer func() { _ = ua.Close() }()
			timers := must(middleware.New(ua))
			defer func() { _ = timers.Close() }()
			var hook *diagotimer.HookError
			if dg, err := diagotimer.New(timers, c.opt(ua)); !errors.As(err, &hook) || err.Error() != "diagotimer: "+c.want || dg != nil {
				t.Errorf("New returns %v, %v, want a HookError with %q", dg, err, c.want)
			}
		})
	}
}

// TestRefusedOption: an option cannot return the error.
func TestRefusedOption(t *testing.T) {
	logged := listen(t)
	ua := must(sipgo.NewUA())
	defer func() { _ = ua.Close() }()
	timers := must(middleware.New(ua))
	defer func() { _ = timers.Close() }()
	client := must(sipgo.NewClient(ua))
	client.TxRequester = foreign{client}
	diago.NewDiago(ua, diago.WithClient(client), diagotimer.Option(timers, must(sipgo.NewServer(ua))))
	logged.want(t, "level=ERROR", "calls have no session timers", "TxRequester")
	other := must(sipgo.NewUA())
	defer func() { _ = other.Close() }()
	diago.NewDiago(other, diagotimer.Option(timers, must(sipgo.NewServer(ua))))
	logged.want(t, "level=ERROR", "calls have no session timers", "Diago is of another user agent")
	if _, same := client.TxRequester.(foreign); !same {
		t.Error("the client lost the requester that somebody else set")
	}
}

// TestRefusedOptionChangesNothing: a Diago whose timers were refused serves calls on the
// application's server, through its middleware.
func TestRefusedOptionChangesNothing(t *testing.T) {
	logged := listen(t)
	var invites atomic.Int32
	callee := makeDesk(t, nil, func(ua *sipgo.UserAgent, timers *middleware.Timers) (*diago.Diago, error) {
		server := must(sipgo.NewServer(ua))
		server.OnUpdate(func(*sip.Request, sip.ServerTransaction) {})
		dg := diago.NewDiago(ua, port0("udp", ""), diagotimer.WithServer(server),
			diagotimer.WithServerRequestMiddleware(func(next sipgo.RequestHandler) sipgo.RequestHandler {
				return func(req *sip.Request, tx sip.ServerTransaction) {
					if req.IsInvite() {
						invites.Add(1)
					}
					next(req, tx)
				}
			}), diagotimer.Option(timers, nil))
		if !slices.Contains(server.RegisteredMethods(), string(sip.INVITE)) {
			t.Errorf("diago has registered no handler with the server, only %v", server.RegisteredMethods())
		}
		return dg, nil
	})
	logged.want(t, "level=ERROR", "calls have no session timers", "UPDATE")
	caller := newDesk(t, lenient, port0("udp", ""))
	callee.serve(t)
	caller.serve(t)
	d := caller.calls(t, callee, diago.NewDialogOptions{})
	if got := invites.Load(); got != 1 {
		t.Errorf("the application's middleware got %d INVITEs, want 1", got)
	}
	if err := d.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestOptionTooEarly: an option of diago's that takes the place of ours is logged
// loudly, and a call that comes in is one without timers, instead of one that they
// cut.
func TestOptionTooEarly(t *testing.T) {
	logged := listen(t)
	callee := makeDesk(t, quick(sessiontimer.Local), func(ua *sipgo.UserAgent, timers *middleware.Timers) (*diago.Diago, error) {
		return diago.NewDiago(ua, port0("udp", ""), diagotimer.Option(timers, must(sipgo.NewServer(ua))),
			diago.WithClient(must(sipgo.NewClient(ua)))), nil
	})
	callee.serve(t)
	caller := newDesk(t, quick(sessiontimer.Auto), port0("udp", ""))
	caller.serve(t)
	d := caller.calls(t, callee, diago.NewDialogOptions{Transport: "udp"})
	in := got(t, "call at the callee", callee.taken)
	if e := await[sessiontimer.Negotiated](t, caller); e.Interval != 0 {
		t.Errorf("negotiated an interval of %v with a desk without timers, want none", e.Interval)
	}
	if res, err := d.Do(t.Context(), sip.NewRequest(sip.UPDATE, d.RemoteContact().Address)); err != nil || res.StatusCode != 405 {
		t.Errorf("an UPDATE to a desk without timers got %v, %v, want 405", res, err)
	}
	if err := in.Hangup(t.Context()); err != nil {
		t.Errorf("Hangup of a call without timers: %v", err)
	}
	got(t, "return of the serve handler", callee.over)
	await[sessiontimer.Ended](t, caller)
	logged.want(t, "level=ERROR", "calls have no session timers", "after diago.WithClient")
}

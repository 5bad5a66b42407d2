package diagotimer_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipua"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/diagotimer"
)

// The tests in this file use real sockets on loopback, in real time: they prove
// the wiring, and of times only that they pass.

// patience bounds every wait of this file.
const patience = 10 * time.Second

// desk is a diago application on loopback.
type desk struct {
	dg     *diago.Diago
	ua     *sipgo.UserAgent
	timers *middleware.Timers
	events chan sessiontimer.Event
	taken  chan *diago.DialogServerSession
	over   chan struct{} // one for each handler that returned
	stop   func()        // closes the sockets

	// talk is the application's part of a call, until it ends.
	talk func(*diago.DialogServerSession, *diago.DialogMedia)
}

// quick are intervals for the impatient.
func quick(r sessiontimer.Refresher) []middleware.Option {
	return []middleware.Option{middleware.WithUnsafeIntervals(), middleware.WithMinSE(time.Second),
		middleware.WithSessionExpires(2 * time.Second), middleware.WithRefresher(r)}
}

// newDesk makes a desk whose diago gets the options that wire returns, but does
// not serve yet.
func newDesk(t *testing.T, opts []middleware.Option, wire func(*middleware.Timers, *sipgo.Server) []diago.DiagoOption) *desk {
	t.Helper()
	d := &desk{events: make(chan sessiontimer.Event, 100), taken: make(chan *diago.DialogServerSession, 10), over: make(chan struct{}, 10)}
	d.talk = func(s *diago.DialogServerSession, _ *diago.DialogMedia) { <-s.Context().Done() }
	d.ua = must(sipgo.NewUA(sipgo.WithUserAgent("desk")))
	server := must(sipgo.NewServer(d.ua))
	opts = append(opts, middleware.WithLogger(sipua.Quiet), middleware.WithEventHandler(func(e sessiontimer.Event) { d.events <- e }))
	d.timers = must(middleware.New(d.ua, opts...))
	d.dg = diago.NewDiago(d.ua, append([]diago.DiagoOption{diago.WithLogger(sipua.Quiet)}, wire(d.timers, server)...)...)
	t.Cleanup(func() {
		_ = d.timers.Close()
		_ = d.ua.Close()
	})
	return d
}

// serve begins to listen.
func (d *desk) serve(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	d.stop = cancel
	err := d.dg.ServeBackground(ctx, func(s *diago.DialogServerSession) {
		if m, err := answer(s); err == nil {
			d.taken <- s
			d.talk(s, m)
		}
		d.over <- struct{}{}
	})
	if err != nil {
		t.Fatalf("ServeBackground: %v", err)
	}
}

// calls makes a call to another desk.
func (d *desk) calls(t *testing.T, to *desk, opts diago.NewDialogOptions) *diago.DialogClientSession {
	t.Helper()
	out, err := d.dg.NewDialog(to.uri(cmp.Or(opts.Transport, "udp")), opts)
	if err == nil {
		err = call(t.Context(), out)
	}
	if err != nil {
		t.Fatalf("the call over %v: %v", opts, err)
	}
	t.Cleanup(func() { _ = out.Close() })
	return out
}

// uri is the desk as its callers know it.
func (d *desk) uri(transport string) sip.Uri {
	dialog := must(d.dg.NewDialog(sip.Uri{Host: "127.0.0.1"}, diago.NewDialogOptions{Transport: transport}))
	defer func() { _ = dialog.Close() }()
	return sip.Uri{Scheme: "sip", User: "desk", Host: "127.0.0.1", Port: dialog.UA.ContactHDR.Address.Port}
}

// await waits for an event of the given type.
func await[E sessiontimer.Event](t *testing.T, d *desk) E {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case e := <-d.events:
			if wanted, ok := e.(E); ok {
				return wanted
			}
		case <-limit:
			var zero E
			t.Fatalf("no %T event within %v", zero, patience)
			return zero
		}
	}
}

// got takes the next value.
func got[V any](t *testing.T, what string, from <-chan V) (v V) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
	}
	return v
}

// port0 is a transport on a port that the system chooses.
func port0(transport, id string) diago.DiagoOption {
	return diago.WithTransport(diago.Transport{ID: id, Transport: transport, BindHost: "127.0.0.1"})
}

// TestPortZero: ServeBackground with BindPort 0 and Rehook, over UDP and TCP, with
// real audio sockets; the callee refreshes, then its peer vanishes.
func TestPortZero(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			both := func(timers *middleware.Timers, server *sipgo.Server) []diago.DiagoOption {
				return []diago.DiagoOption{port0("udp", ""), port0("tcp", ""), diagotimer.Option(timers, server)}
			}
			callee := newDesk(t, quick(sessiontimer.Local), both)
			caller := newDesk(t, quick(sessiontimer.Auto), both)
			for _, d := range []*desk{callee, caller} {
				d.serve(t)
				if err := diagotimer.Rehook(d.dg, d.timers); err != nil {
					t.Fatalf("Rehook after ServeBackground: %v", err)
				}
			}
			caller.calls(t, callee, diago.NewDialogOptions{Transport: transport})
			in := got(t, "call at the callee", callee.taken)
			for _, d := range []*desk{caller, callee} {
				if e := await[sessiontimer.Negotiated](t, d); e.Interval != 2*time.Second {
					t.Errorf("negotiated an interval of %v, want 2s", e.Interval)
				}
				for range 2 {
					await[sessiontimer.Refreshed](t, d)
				}
			}
			caller.stop() // as if its process were gone
			_ = caller.timers.Close()
			_ = caller.ua.Close()
			await[sessiontimer.Ended](t, callee)
			got(t, "return of the serve handler", callee.over)
			if in.LoadState() != sip.DialogStateEnded {
				t.Errorf("the callee's dialog is in state %v, want it to have ended", in.LoadState())
			}
			if err := in.Hangup(t.Context()); err != nil {
				t.Errorf("Hangup of a call that is over: %v, want nil", err)
			}
		})
	}
}

// TestBlockedHandler: a handler that does nothing but read audio, as many do,
// returns when the peer has vanished (F-22).
func TestBlockedHandler_F22(t *testing.T) {
	t.Parallel()
	wire := func(timers *middleware.Timers, server *sipgo.Server) []diago.DiagoOption {
		return []diago.DiagoOption{port0("udp", ""), diagotimer.Option(timers, server)}
	}
	callee := newDesk(t, quick(sessiontimer.Peer), wire)
	callee.talk = func(_ *diago.DialogServerSession, m *diago.DialogMedia) { _ = m.Listen() }
	caller := newDesk(t, quick(sessiontimer.Local), wire)
	for _, d := range []*desk{callee, caller} {
		d.serve(t)
		if err := diagotimer.Rehook(d.dg, d.timers); err != nil {
			t.Fatal(err)
		}
	}
	caller.calls(t, callee, diago.NewDialogOptions{Transport: "udp"})
	await[sessiontimer.Refreshed](t, callee)
	caller.stop()
	_ = caller.timers.Close()
	_ = caller.ua.Close()
	await[sessiontimer.Expired](t, callee)
	got(t, "return of the handler that reads audio", callee.over)
}

// TestTransportID: calls over a transport that only its ID names have timers.
func TestTransportID(t *testing.T) {
	t.Parallel()
	callee := newDesk(t, quick(sessiontimer.Auto), func(timers *middleware.Timers, server *sipgo.Server) []diago.DiagoOption {
		return []diago.DiagoOption{port0("udp", ""), diagotimer.Option(timers, server)}
	})
	caller := newDesk(t, quick(sessiontimer.Auto), func(timers *middleware.Timers, server *sipgo.Server) []diago.DiagoOption {
		return []diago.DiagoOption{port0("udp", "inside"), port0("udp", "outside"), diagotimer.Option(timers, server, "inside", "outside")}
	})
	callee.serve(t)
	caller.serve(t)
	for _, err := range []error{
		diagotimer.Rehook(callee.dg, callee.timers), diagotimer.Rehook(caller.dg, caller.timers, "inside", "outside"),
	} {
		if err != nil {
			t.Fatalf("Rehook: %v", err)
		}
	}
	for _, id := range []string{"inside", "outside"} {
		d := caller.calls(t, callee, diago.NewDialogOptions{TransportID: id})
		await[sessiontimer.Negotiated](t, caller)
		await[sessiontimer.Refreshed](t, callee)
		if err := d.Hangup(t.Context()); err != nil {
			t.Errorf("Hangup of the call over %s: %v", id, err)
		}
		_ = d.Close()
		await[sessiontimer.Ended](t, caller)
	}
	var missing *diagotimer.HookError
	if err := diagotimer.Rehook(caller.dg, caller.timers, "nowhere"); !errors.As(err, &missing) || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("Rehook with an ID that no transport has: %v, want a HookError that names it", err)
	}
}

// TestOptionTooEarly: the option before the transports is logged loudly, and a
// call that comes in is one without timers, instead of one that they cut.
func TestOptionTooEarly(t *testing.T) {
	logged := listen(t)
	var early error
	callee := newDesk(t, quick(sessiontimer.Local), func(timers *middleware.Timers, server *sipgo.Server) []diago.DiagoOption {
		return []diago.DiagoOption{
			diagotimer.Option(timers, server),
			func(dg *diago.Diago) { early = diagotimer.Rehook(dg, timers) },
			port0("udp", ""),
		}
	})
	var hook *diagotimer.HookError
	if !errors.As(early, &hook) || !strings.Contains(early.Error(), "after diago.WithTransport") {
		t.Errorf("Rehook before the transports: %v, want a HookError that says what to do", early)
	}
	logged.want(t, "level=ERROR", "calls have no session timers", "after diago.WithTransport")
	plainCall(t, callee)
	logged.want(t, "level=ERROR", "transport=udp", "Rehook")
}

// TestRehookForgotten: with BindPort 0 diago makes new clients when it listens.
func TestRehookForgotten(t *testing.T) {
	logged := listen(t)
	callee := newDesk(t, quick(sessiontimer.Local), func(timers *middleware.Timers, server *sipgo.Server) []diago.DiagoOption {
		return []diago.DiagoOption{port0("udp", ""), diagotimer.Option(timers, server)}
	})
	plainCall(t, callee)
	logged.want(t, "level=ERROR", "transport=udp", "call Rehook after ServeBackground")
}

// plainCall calls a desk that is not hooked: its side of the call has no timer,
// answers UPDATE with 405 and lives on.
func plainCall(t *testing.T, callee *desk) {
	t.Helper()
	callee.serve(t)
	caller := newDesk(t, quick(sessiontimer.Auto), func(timers *middleware.Timers, server *sipgo.Server) []diago.DiagoOption {
		return []diago.DiagoOption{port0("udp", ""), diagotimer.Option(timers, server)}
	})
	d := caller.calls(t, callee, diago.NewDialogOptions{Transport: "udp"})
	in := got(t, "call at the callee", callee.taken)
	if e := await[sessiontimer.Negotiated](t, caller); e.Interval != 0 {
		t.Errorf("negotiated an interval of %v with a desk that is not hooked, want none", e.Interval)
	}
	if res, err := d.Do(t.Context(), sip.NewRequest(sip.UPDATE, d.RemoteContact().Address)); err != nil || res.StatusCode != 405 {
		t.Errorf("an UPDATE to a desk that is not hooked got %v, %v, want 405", res, err)
	}
	if err := in.Hangup(t.Context()); err != nil {
		t.Errorf("Hangup of a call without timers: %v", err)
	}
	got(t, "return of the serve handler", callee.over)
	await[sessiontimer.Ended](t, caller)
}

// foreign is a requester that somebody else set.
type foreign struct{ *sipgo.Client }

func (foreign) Request(context.Context, *sip.Request) (sip.ClientTransaction, error) {
	return nil, errors.New("not for us")
}

// TestForeignRequester: a client that somebody else hooked is left to him.
func TestForeignRequester(t *testing.T) {
	logged := listen(t)
	d := newDesk(t, nil, func(timers *middleware.Timers, server *sipgo.Server) []diago.DiagoOption {
		client := must(sipgo.NewClient(server.UserAgent))
		client.TxRequester = foreign{client}
		return []diago.DiagoOption{port0("udp", ""), diago.WithClient(client), diagotimer.Option(timers, server)}
	})
	logged.want(t, "level=ERROR", "TxRequester")
	var hook *diagotimer.HookError
	if err := diagotimer.Rehook(d.dg, d.timers); !errors.As(err, &hook) || !strings.Contains(err.Error(), "TxRequester") {
		t.Errorf("Rehook with a client that has a TxRequester: %v, want a HookError that says so", err)
	}
}

// TestDefaultTransport: without any WithTransport diago makes one after its
// options; Rehook reaches it.
func TestDefaultTransport(t *testing.T) {
	logged := listen(t)
	d := newDesk(t, nil, func(timers *middleware.Timers, server *sipgo.Server) []diago.DiagoOption {
		return []diago.DiagoOption{diagotimer.Option(timers, server)}
	})
	logged.want(t, "level=ERROR", "no transport to hook")
	if err := diagotimer.Rehook(d.dg, d.timers); err != nil {
		t.Errorf("Rehook with diago's default transport: %v, want nil", err)
	}
}

// journal is what sipgo's default logger was told.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// logs gets all that goes to sipgo's default logger in these tests.
var logs journal

// Write implements io.Writer.
func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

// listen forgets what was logged before.
func listen(t *testing.T) *journal {
	t.Helper()
	logs.mu.Lock()
	defer logs.mu.Unlock()
	logs.buf.Reset()
	return &logs
}

// want checks that one line has all the words.
func (j *journal) want(t *testing.T, words ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.Lines(j.buf.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return
		}
	}
	t.Errorf("no line of the log has %q, the log:\n%s", words, j.buf.String())
}

var defaultLogger = slog.New(slog.NewTextHandler(&logs, nil))

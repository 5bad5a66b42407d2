package diagotimer_test

import (
	"bytes"
	"cmp"
	"context"
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
const patience = time.Minute

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

// quick refreshes every second, and lenient agrees to no interval below 6 s. A call between
// the two is refreshed soon and nevertheless outlives a machine that is busy.
func quick(r sessiontimer.Refresher) []middleware.Option {
	return []middleware.Option{middleware.WithUnsafeIntervals(), middleware.WithMinSE(time.Second),
		middleware.WithSessionExpires(2 * time.Second), middleware.WithMaxInterval(2 * time.Second), middleware.WithRefresher(r)}
}

var lenient = []middleware.Option{middleware.WithUnsafeIntervals(), middleware.WithMinSE(6 * time.Second), middleware.WithSessionExpires(6 * time.Second)}

// newDesk makes a desk with these options of diago's, which does not serve yet.
func newDesk(t *testing.T, opts []middleware.Option, diagoOpts ...diago.DiagoOption) *desk {
	t.Helper()
	return makeDesk(t, opts, func(_ *sipgo.UserAgent, timers *middleware.Timers) (*diago.Diago, error) {
		return diagotimer.New(timers, diagoOpts...)
	})
}

// makeDesk makes one in another way.
func makeDesk(t *testing.T, opts []middleware.Option, build func(*sipgo.UserAgent, *middleware.Timers) (*diago.Diago, error)) *desk {
	t.Helper()
	d := &desk{events: make(chan sessiontimer.Event, 100), taken: make(chan *diago.DialogServerSession, 10), over: make(chan struct{}, 10)}
	d.talk = func(s *diago.DialogServerSession, _ *diago.DialogMedia) { <-s.Context().Done() }
	d.ua = must(sipgo.NewUA(sipgo.WithUserAgent("desk")))
	opts = append(opts, middleware.WithLogger(sipua.Quiet), middleware.WithEventHandler(func(e sessiontimer.Event) { d.events <- e }))
	d.timers = must(middleware.New(d.ua, opts...))
	d.dg = must(build(d.ua, d.timers))
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
		if opts.Transport != "tcp" {
			awaitSocket(t, d.ua, out.UA.ContactHDR.Address.Port)
		}
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

// vanish is the end of the desk's process.
func (d *desk) vanish() {
	d.stop()
	_ = d.timers.Close()
	_ = d.ua.Close()
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

// TestPortZero: with BindPort 0 diago makes another client when it listens; over
// UDP and TCP, with real audio sockets; the callee refreshes, then its peer vanishes.
func TestPortZero(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			callee := newDesk(t, quick(sessiontimer.Local), port0("udp", ""), port0("tcp", ""))
			caller := newDesk(t, lenient, port0("udp", ""), port0("tcp", ""))
			callee.serve(t)
			caller.serve(t)
			caller.calls(t, callee, diago.NewDialogOptions{Transport: transport})
			in := got(t, "call at the callee", callee.taken)
			for _, d := range []*desk{caller, callee} {
				if e := await[sessiontimer.Negotiated](t, d); e.Interval != 6*time.Second {
					t.Errorf("negotiated an interval of %v, want 6s", e.Interval)
				}
				for range 2 {
					await[sessiontimer.Refreshed](t, d)
				}
			}
			caller.vanish()
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
	callee := newDesk(t, lenient, port0("udp", ""))
	callee.talk = func(_ *diago.DialogServerSession, m *diago.DialogMedia) { _ = m.Listen() }
	caller := newDesk(t, quick(sessiontimer.Local), port0("udp", ""))
	callee.serve(t)
	caller.serve(t)
	caller.calls(t, callee, diago.NewDialogOptions{Transport: "udp"})
	await[sessiontimer.Refreshed](t, callee)
	caller.vanish()
	await[sessiontimer.Expired](t, callee)
	got(t, "return of the handler that reads audio", callee.over)
}

// TestTransportID: calls over a transport that only its ID names have timers, and
// so have those over one without.
func TestTransportID(t *testing.T) {
	t.Parallel()
	callee := newDesk(t, lenient, port0("udp", ""))
	caller := newDesk(t, quick(sessiontimer.Auto), port0("udp", ""), port0("udp", "inside"), port0("udp", "outside"))
	callee.serve(t)
	caller.serve(t)
	for _, id := range []string{"", "inside", "outside"} {
		d := caller.calls(t, callee, diago.NewDialogOptions{TransportID: id})
		await[sessiontimer.Negotiated](t, caller)
		await[sessiontimer.Refreshed](t, callee)
		if err := d.Hangup(t.Context()); err != nil {
			t.Errorf("Hangup of the call over %s: %v", id, err)
		}
		_ = d.Close()
		await[sessiontimer.Ended](t, caller)
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

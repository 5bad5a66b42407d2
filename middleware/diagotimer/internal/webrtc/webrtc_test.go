package webrtc

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/middleware"
	"github.com/sipgo-contrib/sessiontimer/middleware/diagotimer"
)

// patience bounds every wait: a busy machine takes seconds for a handshake of DTLS.
const patience = time.Minute

// hasty refreshes every two seconds, and patient agrees to no interval below 12 s. A call
// between the two is refreshed soon and nevertheless outlives a machine that is busy.
var (
	hasty   = []middleware.Option{middleware.WithMinSE(time.Second), middleware.WithSessionExpires(4 * time.Second), middleware.WithMaxInterval(4 * time.Second)}
	patient = []middleware.Option{middleware.WithMinSE(12 * time.Second), middleware.WithSessionExpires(12 * time.Second)}
)

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	media.SetDefaultLogger(quiet)
	sip.SetDefaultLogger(quiet)
	// The tests wait for timers and take hardly any time themselves.
	flag.Parse()
	_ = flag.Set("test.parallel", "16")
	os.Exit(m.Run())
}

// onLoopback is WebRTC that stays on this machine.
func onLoopback() media.MediaSessionWebrtcConfig {
	loopback := func(ip netip.Addr) bool { return ip.IsLoopback() }
	return media.MediaSessionWebrtcConfig{
		IPFamilies: []media.ICEIPFamily{media.ICEIPFamilyIPv4}, CandidateTypes: []media.ICECandidateType{media.ICECandidateHost},
		IncludeLoopback: true, IPFilter: loopback, RemoteIPFilter: loopback,
	}
}

// end is one end of a call: a diago with timers.
type end struct {
	dg     *diago.Diago
	events chan sessiontimer.Event
	taken  chan *diago.DialogServerSession
	failed chan error

	mu   sync.Mutex
	seen []*sip.Request // that came in
}

func newEnd(t *testing.T, transport string, opts ...middleware.Option) *end {
	t.Helper()
	return makeEnd(t, transport, func(ua *sipgo.UserAgent, e *end, diagoOpts []diago.DiagoOption) *diago.Diago {
		opts = append([]middleware.Option{middleware.WithUnsafeIntervals(), middleware.WithLogger(quiet),
			middleware.WithEventHandler(func(ev sessiontimer.Event) { e.events <- ev })}, opts...)
		timers := must(middleware.New(ua, opts...))
		t.Cleanup(func() { _ = timers.Close() })
		return must(diagotimer.New(timers, diagoOpts...))
	})
}

// makeEnd makes one whose Diago is made in another way.
func makeEnd(t *testing.T, transport string, build func(*sipgo.UserAgent, *end, []diago.DiagoOption) *diago.Diago) *end {
	t.Helper()
	e := &end{events: make(chan sessiontimer.Event, 100), taken: make(chan *diago.DialogServerSession, 1), failed: make(chan error, 1)}
	ua := must(sipgo.NewUA())
	t.Cleanup(func() { _ = ua.Close() })
	e.dg = build(ua, e, []diago.DiagoOption{diago.WithLogger(quiet),
		diago.WithTransport(diago.Transport{Transport: transport, BindHost: "127.0.0.1"}),
		diago.WithMediaConfig(diago.MediaConfig{Codecs: []media.Codec{media.CodecAudioUlaw}}),
		diagotimer.WithServerRequestMiddleware(func(next sipgo.RequestHandler) sipgo.RequestHandler {
			return func(req *sip.Request, tx sip.ServerTransaction) {
				e.mu.Lock()
				e.seen = append(e.seen, req)
				e.mu.Unlock()
				next(req, tx)
			}
		})})
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	err := e.dg.ServeBackground(ctx, func(d *diago.DialogServerSession) {
		if _, err := d.AnswerWebrtc(diago.AnswerWebrtcOptions{WebrtcConfig: onLoopback()}); err != nil {
			e.failed <- err
			return
		}
		e.taken <- d
		<-d.Context().Done()
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// offers are the session descriptions of the re-INVITEs that came in.
func (e *end) offers() (out []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, req := range e.seen {
		if req.IsInvite() && req.To().Params.Has("tag") {
			out = append(out, string(req.Body()))
		}
	}
	return out
}

// calls makes a call over WebRTC.
func (e *end) calls(t *testing.T, to *end, transport string) (out *diago.DialogClientSession, in *diago.DialogServerSession) {
	t.Helper()
	at := must(to.dg.NewDialog(sip.Uri{Scheme: "sip", Host: "127.0.0.1"}, diago.NewDialogOptions{Transport: transport}))
	uri := sip.Uri{Scheme: "sip", User: "callee", Host: "127.0.0.1", Port: at.UA.ContactHDR.Address.Port}
	out = must(e.dg.NewDialog(uri, diago.NewDialogOptions{Transport: transport}))
	t.Cleanup(func() { _, _ = out.Close(), at.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := out.InviteWebrtc(ctx, diago.InviteWebrtcOptions{WebrtcConfig: onLoopback()}); err != nil {
		t.Fatalf("the call: %v", err)
	}
	select {
	case in = <-to.taken:
	case err := <-to.failed:
		t.Fatalf("the answer: %v", err)
	case <-time.After(patience):
		t.Fatal("nobody answered")
	}
	return out, in
}

// refreshed waits for a refresh and returns its method.
func (e *end) refreshed(t *testing.T) string {
	t.Helper()
	for {
		switch got := e.next(t).(type) {
		case sessiontimer.Refreshed:
			return got.Method
		case sessiontimer.RefreshFailed, sessiontimer.Ended:
			t.Fatalf("%#v, want a refresh", got)
		}
	}
}

// firstRefreshed waits for the first refresh by the method. Until its media is up, diago
// refuses a re-INVITE with 406, and the refresh goes by UPDATE.
func (e *end) firstRefreshed(t *testing.T, method string) {
	t.Helper()
	for {
		switch got := e.next(t).(type) {
		case sessiontimer.Refreshed:
			if strings.EqualFold(got.Method, method) {
				return
			}
		case sessiontimer.Ended:
			t.Fatalf("%#v, want a refresh", got)
		}
	}
}

// next returns the next event.
func (e *end) next(t *testing.T) (event sessiontimer.Event) {
	t.Helper()
	select {
	case event = <-e.events:
	case <-time.After(patience):
		t.Fatalf("no event within %v", patience)
	}
	return event
}

// wantAlive checks that neither end has lost the call.
func wantAlive(t *testing.T, ds ...interface{ Context() context.Context }) {
	t.Helper()
	for _, d := range ds {
		if err := d.Context().Err(); err != nil {
			t.Errorf("%T is over: %v", d, context.Cause(d.Context()))
		}
	}
}

// TestRefreshed: over each transport a WebRTC dialog is refreshed by whoever is to, by
// UPDATE; by re-INVITE a callee, whose answer chose a DTLS role, leaves the choice open
// again (RFC 5763 §5, RFC 8842 §5.2).
func TestRefreshed(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp", "ws"} {
		for _, who := range []sessiontimer.Refresher{sessiontimer.Local, sessiontimer.Peer} { // as the callee has it
			for _, method := range []sessiontimer.Method{sessiontimer.MethodUpdate, sessiontimer.MethodReInvite} {
				t.Run(fmt.Sprintf("%s/%s/%s", transport, who, method), func(t *testing.T) {
					t.Parallel()
					ofCaller, ofCallee := patient, hasty
					if who == sessiontimer.Peer {
						ofCaller, ofCallee = hasty, patient
					}
					caller := newEnd(t, transport, append(ofCaller, middleware.WithMethod(method))...)
					callee := newEnd(t, transport, append(ofCallee, middleware.WithMethod(method), middleware.WithRefresher(who))...)
					out, in := caller.calls(t, callee, transport)
					for _, e := range []*end{caller, callee} {
						e.firstRefreshed(t, method.String())
					}
					for range 2 {
						for _, e := range []*end{caller, callee} {
							if got := e.refreshed(t); !strings.EqualFold(got, method.String()) {
								t.Errorf("refreshed by %s, want %s", got, method)
							}
						}
					}
					wantAlive(t, out, in)
					refreshed := caller
					if who == sessiontimer.Peer {
						refreshed = callee
					}
					offered := refreshed.offers()
					if (len(offered) > 0) != (method == sessiontimer.MethodReInvite) {
						t.Errorf("%d re-INVITEs", len(offered))
					}
					for _, sdp := range offered {
						if !strings.Contains(sdp, "\r\na=setup:actpass\r\n") {
							t.Errorf("a refresh offers another DTLS role than actpass:\n%s", sdp)
						}
					}
					if err := out.Hangup(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// TestReInviteWithoutOffer: diago refuses a re-INVITE without a session description in
// a WebRTC dialog, whose peer may give up the call for that. It gets an offer (D-15).
func TestReInviteWithoutOffer(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"caller", "callee"} {
		t.Run("of the "+from, func(t *testing.T) {
			t.Parallel()
			caller, callee := newEnd(t, "tcp", hasty...), newEnd(t, "tcp", patient...)
			out, in := caller.calls(t, callee, "tcp")
			send, ack, contact := out.Do, out.WriteRequest, out.RemoteContact()
			answer := strings.Replace(string(out.InviteRequest.Body()), "a=setup:actpass", "a=setup:passive", 1)
			if from == "callee" {
				send, ack, contact = in.Do, in.WriteRequest, in.RemoteContact()
				answer = string(in.InviteResponse.Body())
			}
			for range 2 {
				res, err := send(t.Context(), sip.NewRequest(sip.INVITE, contact.Address))
				if err != nil || !res.IsSuccess() {
					t.Fatalf("a re-INVITE without offer gets %v, %v, want a 200", res, err)
				}
				offer := string(res.Body())
				if !strings.Contains(offer, "\r\na=setup:actpass\r\n") || !strings.Contains(offer, "a=ice-ufrag:") {
					t.Errorf("the 200 offers\n%s\nwant what was agreed, with the DTLS role left open", offer)
				}
				req := sip.NewRequest(sip.ACK, contact.Address)
				req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
				req.SetBody([]byte(answer)) // with the roles that are in force
				if err := ack(req); err != nil {
					t.Fatal(err)
				}
			}
			caller.refreshed(t)
			wantAlive(t, out, in)
			if err := out.Hangup(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWithoutTimers: it is as TestReInviteWithoutOffer says; a version of diago in
// which this fails is mended.
func TestWithoutTimers(t *testing.T) {
	t.Parallel()
	plain := func(ua *sipgo.UserAgent, _ *end, opts []diago.DiagoOption) *diago.Diago {
		return diago.NewDiago(ua, opts...)
	}
	caller, callee := makeEnd(t, "tcp", plain), makeEnd(t, "tcp", plain)
	out, _ := caller.calls(t, callee, "tcp")
	res, err := out.Do(t.Context(), sip.NewRequest(sip.INVITE, out.RemoteContact().Address))
	if err != nil || res.StatusCode != 400 {
		t.Errorf("a re-INVITE without offer gets %v, %v: mended", res, err)
	}
	if err := out.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

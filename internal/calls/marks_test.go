package calls

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// withMethods are Calls of an application that handles INFO, and so gets to see UPDATE.
func withMethods() *Calls {
	calls := New(context.Background(), Config{})
	calls.SetApplication(Application{Methods: func() []string { return []string{"INFO"} }})
	return calls
}

const ownAllow = "Allow: INVITE, ACK, CANCEL, BYE, INFO, UPDATE"

// marks are the header fields of m that the timers write.
func marks(m sipmsg.Message) (lines []string) {
	for _, h := range m.Headers() {
		switch h.Name() {
		case "Session-Expires", "x", "Min-SE", "Require", "Supported", "k", "Allow":
			lines = append(lines, h.Name()+": "+h.Value())
		}
	}
	return lines
}

// RFC 4028 §7.1, §7.4, §8: a request says what is proposed, in place of what an earlier attempt
// said, and keeps what else the application requires.
func TestMark(t *testing.T) {
	se := sessiontimer.SessionExpires{Interval: 90 * time.Second, Refresher: sessiontimer.UAC}
	for _, c := range []struct {
		name string
		has  []string
		p    sessiontimer.Proposal
		want []string
	}{
		{"all of it", nil, sessiontimer.Proposal{Send: true, SessionExpires: se, MinSE: 2 * time.Minute, Require: true},
			[]string{"Session-Expires: 90;refresher=uac", "Min-SE: 120", "Require: timer", ownAllow}},
		{"nothing", nil, sessiontimer.Proposal{SessionExpires: se}, []string{ownAllow}},
		{"over an earlier attempt", []string{"x: 60", "Min-SE: 90", "Require: 100rel, timer", "Session-Expires: 60"}, sessiontimer.Proposal{Send: true, SessionExpires: se},
			[]string{"Require: 100rel", "Session-Expires: 90;refresher=uac", ownAllow}},
		{"over one that required timer only", []string{"Require: timer"}, sessiontimer.Proposal{MinSE: time.Minute}, []string{"Min-SE: 60", ownAllow}},
		{"beside the application's fields", []string{"Allow: INVITE", "Require: 100rel"}, sessiontimer.Proposal{Require: true},
			[]string{"Allow: INVITE, UPDATE", "Require: 100rel, timer"}},
	} {
		req := parse[*sip.Request](t, append(renewalLines("INVITE", nil), c.has...)...)
		for range 2 {
			if withMethods().Mark(req, c.p); !sameSet(marks(req), c.want) {
				t.Errorf("%s: %q, want %q", c.name, marks(req), c.want)
			}
		}
	}
}

// sameSet reports whether two lists of header fields are the same but for their order.
func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// RFC 4028 §9: a 2xx lists timer, says what was settled, and never has a Min-SE. Marked again,
// as when sipgo retransmits it, it stays the same.
func TestMarkAnswer(t *testing.T) {
	se := sessiontimer.SessionExpires{Interval: 90 * time.Second, Refresher: sessiontimer.UAC}
	for _, c := range []struct {
		name string
		has  []string
		a    sessiontimer.Answer
		want []string
	}{
		{"all of it", nil, sessiontimer.Answer{Send: true, SessionExpires: se, Require: true},
			[]string{"Supported: timer", "Session-Expires: 90;refresher=uac", "Require: timer", ownAllow}},
		{"no timer", nil, sessiontimer.Answer{SessionExpires: se}, []string{"Supported: timer", ownAllow}},
		{"over the application's own", []string{"k: path", "x: 60", "Min-SE: 90", "Allow: BYE"}, sessiontimer.Answer{Send: true, SessionExpires: se},
			[]string{"k: path, timer", "Session-Expires: 90;refresher=uac", "Allow: BYE, UPDATE"}},
	} {
		res := parse[*sip.Response](t, append(okLines, c.has...)...)
		for range 2 {
			if withMethods().MarkAnswer(res, c.a); !sameSet(marks(res), c.want) {
				t.Errorf("%s: %q, want %q", c.name, marks(res), c.want)
			}
		}
	}
}

// RFC 3311 §4: Allow lists UPDATE only if the timers answer it. An application with timers of
// its own keeps its Allow as it is.
func TestMarkAllow(t *testing.T) {
	for _, c := range []struct {
		name    string
		methods bool
		own     bool
		has     string
		want    string
	}{
		{name: "none", want: "INVITE, ACK, CANCEL, BYE"},
		{name: "none, UPDATE is answered", methods: true, want: "INVITE, ACK, CANCEL, BYE, INFO, UPDATE"},
		{name: "the application's", has: "BYE", want: "BYE"},
		{name: "the application's, UPDATE is answered", methods: true, has: "BYE", want: "BYE, UPDATE"},
		{name: "none, and timers of its own", methods: true, own: true},
		{name: "the application's, and timers of its own", methods: true, own: true, has: "BYE", want: "BYE"},
	} {
		calls := New(context.Background(), Config{})
		if c.methods {
			calls = withMethods()
		}
		calls.OwnTimers.found.Store(c.own)
		res := sip.NewResponse(200, "OK")
		if c.has != "" {
			res.AppendHeader(sip.NewHeader("Allow", c.has))
		}
		var want []string
		if c.want != "" {
			want = []string{"Allow: " + c.want}
		}
		if calls.markAllow(res); !sameSet(marks(res), want) {
			t.Errorf("%s: %q, want %q", c.name, marks(res), want)
		}
	}
}

// A message that is too long for a datagram loses first our Allow and Min-SE, then the session
// timer, and UPDATE in the application's Allow only if nothing else helps.
func TestUnmarkToFit(t *testing.T) {
	const limit = 1300 // sipgo's, over UDP
	timer := []string{"Session-Expires: 90;refresher=uac", "Require: timer", "Supported: timer"}
	for _, c := range []struct {
		name    string
		over    int // bytes beyond the limit
		stream  bool
		methods bool
		has     []string // beside the timer
		kept    bool
		want    []string
	}{
		{name: "it fits", has: []string{ownAllow, "Min-SE: 90"}, methods: true, kept: true, want: append(timer, ownAllow, "Min-SE: 90")},
		{name: "one byte more", over: 1, has: []string{ownAllow, "Min-SE: 90"}, methods: true, kept: true, want: timer},
		{name: "one byte more, on a stream", over: 1, stream: true, has: []string{ownAllow}, methods: true, kept: true, want: append(timer, ownAllow)},
		{name: "the application's Allow stays", over: 1, has: []string{"Allow: BYE, UPDATE", "Min-SE: 90"}, methods: true, kept: true, want: append(timer, "Allow: BYE, UPDATE")},
		{name: "no Min-SE to leave out", over: 1, has: []string{"Allow: BYE, UPDATE"}, methods: true, want: []string{"Allow: BYE, UPDATE"}},
		{name: "nor anything else", over: 100, has: []string{"Allow: BYE, UPDATE"}, methods: true, want: []string{"Allow: BYE"}},
		{name: "the application wrote UPDATE", over: 100, has: []string{"Allow: BYE, UPDATE"}, want: []string{"Allow: BYE, UPDATE"}},
		{name: "another extension stays", over: 100, has: []string{"Allow: BYE", "Require: 100rel"}, want: []string{"Allow: BYE", "Require: 100rel"}},
	} {
		req := parse[*sip.Request](t, renewalLines("UPDATE", nil)...)
		req.SetTransport("UDP")
		if c.stream {
			req.SetTransport("TCP")
		}
		for _, m := range []sipmsg.Message{req, parse[*sip.Response](t, okLines...)} {
			for _, l := range slices.Concat(timer, c.has) {
				name, value, _ := strings.Cut(l, ": ")
				m.AppendHeader(sip.NewHeader(name, value))
			}
			m.AppendHeader(sip.NewHeader("X-Pad", ""))
			m.ReplaceHeader(sip.NewHeader("X-Pad", strings.Repeat("x", limit+c.over-len(m.String()))))
			calls := New(context.Background(), Config{})
			if c.methods {
				calls = withMethods()
			}
			if kept := calls.UnmarkToFit(m, req); kept != c.kept || !sameSet(marks(m), c.want) {
				t.Errorf("%s, a %T: the timer is kept: %t with %q; want %t with %q", c.name, m, kept, marks(m), c.kept, c.want)
			}
		}
	}
}

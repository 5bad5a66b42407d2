package timerpage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/middleware"
)

// The bar has the times of the session, each at its place: when the refresh is due by the
// schedule or, where we do not refresh or have tried already, at half the interval.
func TestBar(t *testing.T) {
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return since.Add(d) }
	mark := func(name, kind string, d time.Duration, place int) milestone {
		return milestone{name, at(d), kind, place}
	}
	const local, peer = sessiontimer.Local, sessiontimer.Peer
	lastChance := sessiontimer.Session{Interval: time.Hour, Refresher: local, Since: since}.LastChance().Sub(since)
	start, expiry := mark("the last refresh, or the answer", "start", 0, 0), mark("expiry", "expiry", time.Hour, 997)
	last := mark("last chance for a refresh", "last", lastChance, int(997*lastChance/time.Hour))
	peerGivesUp := mark("the peer gives up", "gives-up", time.Hour-32*time.Second, 988)
	for _, c := range []struct {
		name string
		who  sessiontimer.Refresher
		plan func(*middleware.Call)
		want []milestone
	}{
		{"ours", local, func(c *middleware.Call) { c.Plan.Action, c.Plan.At = sessiontimer.Refresh, at(20*time.Minute) },
			[]milestone{start, mark("our refresh is due", "half", 20*time.Minute, 332), last, peerGivesUp, expiry}},
		{"ours, tried", local, func(c *middleware.Call) {
			c.Plan.Action, c.Plan.At, c.Plan.Attempts = sessiontimer.Refresh, at(40*time.Minute), 1
		},
			[]milestone{start, mark("half of the interval", "half", 30*time.Minute, 498), last, peerGivesUp, expiry}},
		{"the peer's", peer, func(c *middleware.Call) { c.Plan.Action, c.Plan.At = sessiontimer.Hangup, at(59*time.Minute) },
			[]milestone{start, mark("the peer’s refresh is due", "half", 30*time.Minute, 498), mark("we give up", "gives-up", time.Hour-32*time.Second, 988), expiry}},
		{"nobody's", sessiontimer.Nobody, func(*middleware.Call) {}, nil},
	} {
		var call middleware.Call
		if c.who != sessiontimer.Nobody {
			call.Session = sessiontimer.Session{Interval: time.Hour, Refresher: c.who, Since: since}
		}
		c.plan(&call)
		if diff := cmp.Diff(c.want, barOf(&call)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// The view of a call has what was asked, what was agreed, and where the call goes.
func TestAskedAgreedWire(t *testing.T) {
	c := middleware.Call{Dialog: dialogstore.Dialog{
		Origin: dialogstore.Origin{Policy: sessiontimer.Policy{Mode: sessiontimer.Require, SessionExpires: time.Hour, MinSE: 2 * time.Minute},
			RouteSet: []string{"<sip:+491@near;lr>"}, Transport: "tls"},
		State: dialogstore.State{RemoteTarget: "sip:+492@far", Contact: "<sip:+493@us>", LocalAddr: "us:5061", Source: "far:5061", Behind: true,
			Answered: "near:5061", LocalCSeq: 7, RemoteCSeq: 8, SDP: []byte("v=0\r\nours"), PeerSDP: []byte("v=0\r\ntheirs"), LastMethod: "UPDATE",
			MinSE: 100 * time.Second, PeerTimer: true, PeerUpdate: true, Session: sessiontimer.Session{Interval: 30 * time.Minute, Refresher: sessiontimer.Local}},
	}}
	if diff := cmp.Diff(&asked{"require", span(time.Hour), span(2 * time.Minute), "auto", "auto"}, askedOf(&c)); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	c.Policy.Refresher, c.Policy.Method = sessiontimer.Peer, sessiontimer.MethodReInvite
	if got := askedOf(&c); got.Refresher != "peer" || got.Method != "invite" {
		t.Errorf("asked: %+v, want the peer by re-INVITE", got)
	}
	c.Policy.Method = sessiontimer.MethodAuto
	ours := &agreed{Interval: span(30 * time.Minute), Refresher: "local", SettledBy: "UPDATE", MinSE: span(100 * time.Second), PeerTimer: true, PeerUpdate: true,
		Method: "UPDATE", Because: "the peer's Allow lists it"}
	if diff := cmp.Diff(ours, agreedOf(&c)); diff != "" {
		t.Errorf("agreed (-want +got):\n%s", diff)
	}
	c.Session.Refresher, c.NoUpdate = sessiontimer.Peer, true
	theirs := *ours
	theirs.Refresher, theirs.NoUpdate, theirs.Method, theirs.Because = "peer", true, "", ""
	if diff := cmp.Diff(&theirs, agreedOf(&c)); diff != "" {
		t.Errorf("agreed that the peer refreshes (-want +got):\n%s", diff)
	}
	want := wire{"tls", "us:5061", "sip:+492@far", "sip:+493@us", []string{"sip:+491@near"}, "far:5061", true, "near:5061", 7, 8, "v=0\r\nours", "v=0\r\ntheirs"}
	if diff := cmp.Diff(&want, wireOf(&c, Everything)); diff != "" {
		t.Errorf("wire (-want +got):\n%s", diff)
	}
	want.Target, want.Contact, want.RouteSet, want.OurSDP, want.PeerSDP = "sip:…@far", "sip:…@us", []string{"sip:…@near"}, "", ""
	if diff := cmp.Diff(&want, wireOf(&c, WithoutNumbers)); diff != "" {
		t.Errorf("wire without numbers (-want +got):\n%s", diff)
	}
	if got := want.Lines("v=0\r\ns=-\r\n"); got != "v=0\ns=-\n" {
		t.Errorf("lines %q", got)
	}
}

// What a viewer may see of an address.
func TestShown(t *testing.T) {
	for _, c := range []struct{ addr, everything, without string }{
		{`"Ann" <sip:+491@host:5060;user=phone>;tag=1`, "Ann sip:+491@host:5060", "sip:…@host:5060"},
		{`"+491" <sip:+491@host>`, "sip:+491@host", "sip:…@host"},
		{"sip:+491@host;transport=tcp", "sip:+491@host", "sip:…@host"},
		{"<sip:+491@host?Subject=a@+492>", "sip:+491@host", "sip:…@host"},
		{"<sip:+491;phone-context=+49@host;user=phone>", "sip:+491;phone-context=+49@host", "sip:…@host"},
		{"sip:+491?x@host", "sip:+491?x@host", "sip:…@host"},
		{`"Ann <+491>" <sip:ann@host>`, "Ann <+491> sip:ann@host", "sip:…@host"},
		{"<sip:host;lr>", "sip:host", "sip:host"},
		{"<tel:+491;phone-context=x>", "tel:+491", "tel:…"},
		{"<TEL:+491>", "TEL:+491", "TEL:…"},
		{"<sips:+491@host>", "sips:+491@host", "sips:…@host"},
		{"+491", "+491", "…"},
		{"", "", "…"},
	} {
		if got := Everything.shown(c.addr); got != c.everything {
			t.Errorf("%s is shown as %q, want %q", c.addr, got, c.everything)
		}
		if got := WithoutNumbers.shown(c.addr); got != c.without {
			t.Errorf("%s without numbers is %q, want %q", c.addr, got, c.without)
		}
	}
}

package calls

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// The INVITE of a call and its 2xx, whoever sends it. Tests add header fields.
var (
	inviteLines = []string{
		"INVITE sip:callee@example.com SIP/2.0",
		"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
		`From: "Caller" <sip:caller@example.com>;tag=from`,
		"To: <sip:callee@example.com>",
		"Call-ID: c1",
		"CSeq: 7 INVITE",
	}
	okLines = []string{
		"SIP/2.0 200 OK",
		"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
		`From: "Caller" <sip:caller@example.com>;tag=from`,
		"To: <sip:callee@example.com>;tag=to",
		"Call-ID: c1",
		"CSeq: 7 INVITE",
	}
)

const (
	callersContact = "Contact: <sip:caller@192.0.2.1:5060>"
	calleesContact = "Contact: <sip:callee@192.0.2.2:5060>"
)

func parse[M sip.Message](t *testing.T, lines ...string) M {
	t.Helper()
	m, err := sip.ParseMessage([]byte(strings.Join(lines, "\r\n") + "\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	return m.(M)
}

// opening is the call with more header fields. The peer sends from source over UDP.
func opening(t *testing.T, invite, ok []string, source string) *Opening {
	o := &Opening{
		Request:   parse[*sip.Request](t, slices.Concat(inviteLines, invite)...),
		Response:  parse[*sip.Response](t, slices.Concat(okLines, ok)...),
		Policy:    sessiontimer.DefaultPolicy(),
		Session:   sessiontimer.Session{Interval: 1800 * time.Second, Refresher: sessiontimer.Local, Since: time.Unix(1000, 0)},
		At:        time.Unix(1000, 0),
		Agreed:    agreed("ours", "peer's"),
		Transport: "udp",
		LocalAddr: "192.0.2.100:5060",
		LocalCSeq: 40,
	}
	o.Request.SetTransport("UDP")
	o.Request.SetSource(source)
	o.Response.SetTransport("UDP")
	o.Response.SetSource(source)
	return o
}

func agreed(ours, peers string) offeranswer.Agreed {
	return offeranswer.Agreed{
		Ours:      offeranswer.Description{Body: []byte(ours), Type: "application/sdp"},
		Peers:     offeranswer.Description{Body: []byte(peers), Type: "application/sdp;q=1", Beside: 3},
		WeOffered: true,
	}
}

// begun is what any opening makes of a dialog.
func begun(d dialogstore.Dialog) dialogstore.Dialog {
	d.CallID, d.Began = "c1", time.Unix(1000, 0)
	d.Transport, d.LocalAddr, d.LocalCSeq = "udp", "192.0.2.100:5060", 40
	d.SDP, d.SDPType, d.PeerSDP, d.PeerSDPType = []byte("ours"), "application/sdp", []byte("peer's"), "application/sdp;q=1"
	d.PeerSDPBeside, d.SDPOffered = 3, true
	d.Session = sessiontimer.Session{Interval: 1800 * time.Second, Refresher: sessiontimer.Local, Since: time.Unix(1000, 0)}
	d.LastMethod, d.Policy = "INVITE", sessiontimer.DefaultPolicy()
	return d
}

// C-24, D-10, D-16, RFC 3261 §12.1.1: the dialog of an INVITE of the peer.
func TestOpeningAnswered(t *testing.T) {
	for _, c := range []struct {
		name       string
		invite, ok []string
		source     string
		session    sessiontimer.Refresher
		want       func(*dialogstore.Dialog)
	}{
		{name: "no more than it must have"},
		{name: "the route set is the INVITE's, in order", invite: []string{"Record-Route: <sip:near;lr>, <sip:middle;lr>", "Record-Route: <sip:far;lr>"},
			ok: []string{"Record-Route: <sip:other;lr>"}, want: func(d *dialogstore.Dialog) {
				d.RouteSet = []string{"<sip:near;lr>", "<sip:middle;lr>", "<sip:far;lr>"}
			}},
		{name: "our own option tags are the 2xx's", invite: []string{"Supported: replaces"}, ok: []string{"Supported: timer, path", "k: gruu"},
			want: func(d *dialogstore.Dialog) { d.Supported = "path, gruu" }},
		{name: "RFC 4028 §9: timer in Supported", invite: []string{"Supported: 100rel, timer"}, want: func(d *dialogstore.Dialog) { d.PeerTimer = true }},
		{name: "RFC 4028 §9: the peer is the refresher, whatever it lists", session: sessiontimer.Peer, want: func(d *dialogstore.Dialog) {
			d.Session.Refresher, d.PeerTimer = sessiontimer.Peer, true
		}},
		{name: "RFC 4028 §5: its Min-SE", invite: []string{"Min-SE: 120"}, ok: []string{"Min-SE: 600"},
			want: func(d *dialogstore.Dialog) { d.MinSE = 120 * time.Second }},
		{name: "RFC 3311 §4: its Allow", invite: []string{"Allow: INVITE, UPDATE"}, ok: []string{"Allow: INVITE"},
			want: func(d *dialogstore.Dialog) { d.PeerUpdate = true }},
		{name: "our own Allow says nothing of it", ok: []string{"Allow: UPDATE"}},
		{name: "§8.2.2.3: what it requires and we have not listed is accepted", invite: []string{"Require: timer, replaces, x-custom"}, ok: []string{"Supported: replaces"},
			want: func(d *dialogstore.Dialog) { d.Supported, d.PeerTimer, d.Accepted = "replaces", true, "x-custom" }},
		{name: "what it requires of proxies, or lists, is not", invite: []string{"Proxy-Require: x-custom", "Supported: other"}},
		{name: "behind a NAT", source: "203.0.113.5:40000", want: func(d *dialogstore.Dialog) { d.Source, d.Behind = "203.0.113.5:40000", true }},
	} {
		o := opening(t, append(c.invite, callersContact), append(c.ok, calleesContact), "192.0.2.1:5060")
		if c.source != "" {
			o.Request.SetSource(c.source)
		}
		if c.session != sessiontimer.Nobody {
			o.Session.Refresher = c.session
		}
		o.Fields = sipmsg.Fields(o.Request, o.Policy)
		var want, got dialogstore.Dialog
		want = begun(want)
		want.LocalTag, want.RemoteTag = "to", "from"
		want.LocalURI, want.RemoteURI = "<sip:callee@example.com>;tag=to", `"Caller" <sip:caller@example.com>;tag=from`
		want.RemoteTarget, want.Contact = "sip:caller@192.0.2.1:5060", "<sip:callee@192.0.2.2:5060>"
		want.Source, want.RemoteCSeq = "192.0.2.1:5060", 7
		if c.want != nil {
			c.want(&want)
		}
		o.Answered(&got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// C-24, D-07, D-16, J-14, RFC 3261 §12.1.2: the dialog of an INVITE of ours.
func TestOpeningAccepted(t *testing.T) {
	for _, c := range []struct {
		name       string
		invite, ok []string
		early      sessiontimer.Fields
		bare       bool // the 2xx has no Contact
		session    sessiontimer.Refresher
		want       func(*dialogstore.Dialog)
	}{
		{name: "no more than it must have"},
		{name: "the route set is the 2xx's, reversed", invite: []string{"Record-Route: <sip:other;lr>"},
			ok: []string{"Record-Route: <sip:far;lr>, <sip:middle;lr>", "Record-Route: <sip:near;lr>"}, want: func(d *dialogstore.Dialog) {
				d.RouteSet = []string{"<sip:near;lr>", "<sip:middle;lr>", "<sip:far;lr>"}
			}},
		{name: "a 2xx without Contact leaves the Request-URI", bare: true, want: func(d *dialogstore.Dialog) { d.RemoteTarget = "sip:callee@example.com" }},
		{name: "our own option tags are the INVITE's", invite: []string{"Supported: timer, path", "Require: x-a", "Proxy-Require: x-b, timer"}, ok: []string{"Supported: gruu"},
			want: func(d *dialogstore.Dialog) { d.Supported, d.Require, d.ProxyRequire = "path", "x-a", "x-b" }},
		{name: "what a 2xx requires is not accepted for later requests", ok: []string{"Require: x-custom"}},
		{name: "RFC 4028 §7.2: timer in Supported", ok: []string{"Supported: timer"}, want: func(d *dialogstore.Dialog) { d.PeerTimer = true }},
		{name: "timer while it rang", early: sessiontimer.Fields{Supported: true}, want: func(d *dialogstore.Dialog) { d.PeerTimer = true }},
		{name: "the peer is the refresher, whatever it lists", session: sessiontimer.Peer, want: func(d *dialogstore.Dialog) {
			d.Session.Refresher, d.PeerTimer = sessiontimer.Peer, true
		}},
		{name: "RFC 3311 §4: its Allow", invite: []string{"Allow: INVITE"}, ok: []string{"Allow: UPDATE"}, want: func(d *dialogstore.Dialog) { d.PeerUpdate = true }},
		{name: "its Allow while it rang, and none in the 2xx", early: sessiontimer.Fields{HasAllow: true, AllowUpdate: true},
			want: func(d *dialogstore.Dialog) { d.PeerUpdate = true }},
		{name: "withdrawn in the 2xx", early: sessiontimer.Fields{HasAllow: true, AllowUpdate: true}, ok: []string{"Allow: INVITE"}},
		{name: "listed in the 2xx", early: sessiontimer.Fields{HasAllow: true}, ok: []string{"Allow: UPDATE"}, want: func(d *dialogstore.Dialog) { d.PeerUpdate = true }},
		{name: "Min-SE has no place in a 2xx", ok: []string{"Min-SE: 120"}},
	} {
		ok := c.ok
		if !c.bare {
			ok = append(ok, calleesContact)
		}
		o := opening(t, append(c.invite, callersContact), ok, "192.0.2.2:5060")
		if c.session != sessiontimer.Nobody {
			o.Session.Refresher = c.session
		}
		o.Fields = sipmsg.Fields(o.Response, o.Policy)
		var want, got dialogstore.Dialog
		want = begun(want)
		want.OwnsCallID = true
		want.LocalTag, want.RemoteTag = "from", "to"
		want.LocalURI, want.RemoteURI = `"Caller" <sip:caller@example.com>;tag=from`, "<sip:callee@example.com>;tag=to"
		want.RemoteTarget, want.Contact = "sip:callee@192.0.2.2:5060", "<sip:caller@192.0.2.1:5060>"
		want.Source = "192.0.2.2:5060"
		if c.want != nil {
			c.want(&want)
		}
		o.Accepted(&got, c.early)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

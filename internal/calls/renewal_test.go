package calls

import (
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/google/go-cmp/cmp"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// The tests renew a call that began at began, as it was stored then.
var began = time.Unix(1000, 0)

func at(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }

// session is one of 90 s. RefreshAfter is in seconds, too; 0 is half of the interval.
func session(by sessiontimer.Refresher, since time.Time, refreshAfter float64) sessiontimer.Session {
	return sessiontimer.Session{Interval: 90 * time.Second, Refresher: by, Since: since, RefreshAfter: time.Duration(refreshAfter * float64(time.Second))}
}

func renewed(change func(*dialogstore.Dialog)) dialogstore.Dialog {
	var d dialogstore.Dialog
	d.CallID, d.LocalTag, d.RemoteTag = "c1", "local", "remote"
	d.RemoteTarget, d.Source, d.Transport = "sip:peer@192.0.2.1:5060", "192.0.2.1:5060", "udp"
	d.Contact, d.LocalAddr, d.Answered = "<sip:us@192.0.2.100:5060>", "192.0.2.100:5060", "192.0.2.1:5060"
	d.LocalCSeq, d.RemoteCSeq = 40, 7
	d.Policy = sessiontimer.DefaultPolicy()
	d.Session, d.LastMethod = session(sessiontimer.Local, began, 0), "INVITE"
	AgreeOn(&d.State, agreed("ours", "peer's"))
	if change != nil {
		change(&d)
	}
	return d
}

// renewalLines are a request within the call, or what a response to one has to say.
func renewalLines(method string, more []string) []string {
	return append([]string{
		method + " sip:us@192.0.2.100 SIP/2.0",
		"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
		"From: <sip:peer@example.com>;tag=remote",
		"To: <sip:us@example.com>;tag=local",
		"Call-ID: c1",
		"CSeq: 9 " + method,
	}, more...)
}

// C-24, D-08, E-30, J-11, RFC 4028 §9: a request of the peer and our 2xx, sent 50 s after
// the call began.
func TestRenewalAnswered(t *testing.T) {
	long := strings.Repeat("x", 120)
	for _, c := range []struct {
		name    string
		method  string // UPDATE if empty
		request []string
		contact string // in the application's 2xx
		source  string
		session sessiontimer.Session // that the 2xx settles; zero for ours since then
		news    bool
		was     func(*dialogstore.Dialog)
		want    func(*dialogstore.Dialog) // beside the session, its method and the peer's number
	}{
		{name: "no more than it must have"},
		{name: "a re-INVITE", method: "INVITE", want: func(d *dialogstore.Dialog) { d.LastMethod = "INVITE" }},
		{name: "no session any more", session: sessiontimer.Session{Since: at(50)}, want: func(d *dialogstore.Dialog) {
			d.Session = sessiontimer.Session{Since: at(50)}
		}},

		// Two 2xx cross. To the peer either may be the later one.
		{name: "a 2xx of the peer came while this one went out: that stays, refreshed in time for both",
			was: func(d *dialogstore.Dialog) {
				d.Session = sessiontimer.Session{Interval: 1800 * time.Second, Refresher: sessiontimer.Local, Since: at(51)}
			},
			want: func(d *dialogstore.Dialog) {
				d.Session = sessiontimer.Session{Interval: 1800 * time.Second, Refresher: sessiontimer.Local, Since: at(51), RefreshAfter: 45 * time.Second}
				d.LastMethod = "INVITE"
			}},
		{name: "the same, and it is refreshed sooner anyhow", was: func(d *dialogstore.Dialog) { d.Session = session(sessiontimer.Local, at(51), 20) },
			want: func(d *dialogstore.Dialog) {
				d.Session, d.LastMethod = session(sessiontimer.Local, at(51), 20), "INVITE"
			}},
		{name: "the same, and the peer refreshes", was: func(d *dialogstore.Dialog) { d.Session = session(sessiontimer.Peer, at(51), 0) },
			want: func(d *dialogstore.Dialog) {
				d.Session, d.LastMethod, d.PeerTimer = session(sessiontimer.Peer, at(51), 0), "INVITE", true
			}},
		{name: "the same, and this one has no timer", session: sessiontimer.Session{Since: at(50)},
			was: func(d *dialogstore.Dialog) { d.Session = session(sessiontimer.Local, at(51), 20) },
			want: func(d *dialogstore.Dialog) {
				d.Session, d.LastMethod = session(sessiontimer.Local, at(51), 20), "INVITE"
			}},

		// RFC 3261 §12.2.2: numbers rise.
		{name: "a later request was refused meanwhile", was: func(d *dialogstore.Dialog) { d.RemoteCSeq = 12 }, want: func(d *dialogstore.Dialog) { d.RemoteCSeq = 12 }},

		// RFC 4028 §5, §8: the largest Min-SE within the dialog.
		{name: "Min-SE", request: []string{"Min-SE: 120"}, want: func(d *dialogstore.Dialog) { d.MinSE = 120 * time.Second }},
		{name: "a smaller Min-SE", request: []string{"Min-SE: 120"}, was: func(d *dialogstore.Dialog) { d.MinSE = 600 * time.Second },
			want: func(d *dialogstore.Dialog) { d.MinSE = 600 * time.Second }},

		// What the peer can do.
		{name: "timer", request: []string{"Supported: timer"}, want: func(d *dialogstore.Dialog) { d.PeerTimer = true }},
		{name: "timer once, and not again", was: func(d *dialogstore.Dialog) { d.PeerTimer = true }, want: func(d *dialogstore.Dialog) { d.PeerTimer = true }},
		{name: "the peer becomes the refresher", session: session(sessiontimer.Peer, at(50), 0), want: func(d *dialogstore.Dialog) {
			d.Session, d.PeerTimer = session(sessiontimer.Peer, at(50), 0), true
		}},
		{name: "UPDATE", request: []string{"Allow: INVITE, UPDATE"}, want: func(d *dialogstore.Dialog) { d.PeerUpdate = true }},
		{name: "UPDATE withdrawn", request: []string{"Allow: INVITE"}, was: func(d *dialogstore.Dialog) { d.PeerUpdate = true }},
		{name: "no Allow", was: func(d *dialogstore.Dialog) { d.PeerUpdate = true }, want: func(d *dialogstore.Dialog) { d.PeerUpdate = true }},
		{name: "it goes on refusing UPDATE", was: func(d *dialogstore.Dialog) { d.NoUpdate = true }, want: func(d *dialogstore.Dialog) { d.NoUpdate = true }},

		// RFC 3261 §12.2, RFC 3311 §5: the remote target.
		{name: "the peer moves", request: []string{"Contact: <sip:peer@192.0.2.3>"}, source: "192.0.2.3:5060", want: func(d *dialogstore.Dialog) {
			d.RemoteTarget, d.Source, d.Answered = "sip:peer@192.0.2.3", "192.0.2.3:5060", ""
		}},

		// RFC 6141 §4.4: our own target.
		{name: "we move", contact: "<sip:us@192.0.2.101>", want: func(d *dialogstore.Dialog) { d.Contact = "<sip:us@192.0.2.101>" }},
		{name: "to another port", contact: "<sip:us@192.0.2.100:5070>", want: func(d *dialogstore.Dialog) { d.Contact = "<sip:us@192.0.2.100:5070>" }},
		{name: "a Contact that lacks the port", contact: "<sip:us@192.0.2.100>"},
		{name: "a Contact that lacks the host", contact: "<sip:us@>"},

		// RFC 3264: what is agreed.
		{name: "another description", news: true, want: func(d *dialogstore.Dialog) { AgreeOn(&d.State, agreed("ours again", "peer's again")) }},

		// RFC 3261 §8.2.2.3: what the application has accepted.
		{name: "an option tag", request: []string{"Require: x-a, timer"}, want: func(d *dialogstore.Dialog) { d.PeerTimer, d.Accepted = true, "x-a" }},
		{name: "another one", request: []string{"Require: x-b, x-a, x-b"}, was: func(d *dialogstore.Dialog) { d.Accepted = "x-a" },
			want: func(d *dialogstore.Dialog) { d.Accepted = "x-a, x-b" }},
		{name: "ones that we have listed or required", request: []string{"Require: x-a, x-b"}, was: func(d *dialogstore.Dialog) { d.Supported, d.Require = "x-a", "x-b" },
			want: func(d *dialogstore.Dialog) { d.Supported, d.Require = "x-a", "x-b" }},
		{name: "no token", request: []string{"Require: x a, x-b"}, want: func(d *dialogstore.Dialog) { d.Accepted = "x-b" }},
		{name: "more than is kept", request: []string{"Require: " + long + "1, " + long + "2, " + long + "3, x-a"},
			want: func(d *dialogstore.Dialog) { d.Accepted = long + "1, " + long + "2, x-a" }},
	} {
		if c.method == "" {
			c.method = "UPDATE"
		}
		if c.session == (sessiontimer.Session{}) {
			c.session = session(sessiontimer.Local, at(50), 0)
		}
		req := parse[*sip.Request](t, renewalLines(c.method, c.request)...)
		req.SetTransport("UDP")
		req.SetSource(c.source)
		r := Renewal{Request: req, At: at(50), Fields: sipmsg.Fields(req, sessiontimer.DefaultPolicy()), Seen: indialog.SightingOf(req),
			Contact: contactOf(t, c.contact), Agreed: agreed("ours again", "peer's again"), News: c.news}
		want := renewed(func(d *dialogstore.Dialog) {
			d.Session, d.LastMethod, d.RemoteCSeq = session(sessiontimer.Local, at(50), 0), "UPDATE", 9
			if c.want != nil {
				c.want(d)
			}
		})
		was := renewed(c.was)
		if diff := cmp.Diff(want.State, r.Answered(was, c.session)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if r.Renewed == want.Session.Equal(was.Session) {
			t.Errorf("%s: renewed is %t", c.name, r.Renewed)
		}
	}
}

// contactOf parses a Contact of the application; nil for none.
func contactOf(t *testing.T, value string) *sip.ContactHeader {
	if value == "" {
		return nil
	}
	h := new(sip.ContactHeader)
	name, uri := strings.TrimSuffix(strings.TrimPrefix(value, "<"), ">"), new(sip.Uri)
	if err := sip.ParseUri(name, uri); err != nil && name != "sip:us@" {
		t.Fatal(err)
	}
	h.Address = *uri
	return h
}

// C-24, D-23, J-11, RFC 4028 §7.2: a request of ours that was sent at 45 s, and the peer's
// 2xx, which came at 50 s.
func TestRenewalAccepted(t *testing.T) {
	ours := []string{"Session-Expires: 90;refresher=uac"}
	elsewhere := "203.0.113.9:5060"
	for _, c := range []struct {
		name    string
		method  string // UPDATE if empty
		ok      []string
		contact string
		source  string
		sent    Sent
		news    bool
		was     func(*dialogstore.Dialog)
		want    func(*dialogstore.Dialog) // beside the session and its method
	}{
		// The peer counts from when it first sent the 2xx, which may be as long ago as
		// the UPDATE is: the next refresh is that much earlier.
		{name: "an UPDATE", ok: ours},
		{name: "a re-INVITE, whose 2xx comes again until we have it", method: "INVITE", ok: ours, want: func(d *dialogstore.Dialog) {
			d.Session, d.LastMethod = session(sessiontimer.Local, at(50), 0), "INVITE"
		}},
		{name: "the peer refreshes", ok: []string{"Session-Expires: 90;refresher=uas"}, want: func(d *dialogstore.Dialog) {
			d.Session, d.PeerTimer = session(sessiontimer.Peer, at(50), 0), true
		}},
		{name: "a 2xx that says nothing leaves it as it was, less this delay"},
		{name: "and not less the delay before, too", was: func(d *dialogstore.Dialog) { d.Session.RefreshAfter = 40 * time.Second }},
		{name: "what was to be sooner stays so", was: func(d *dialogstore.Dialog) { d.Session.RefreshAfter = 30 * time.Second },
			want: func(d *dialogstore.Dialog) { d.Session.RefreshAfter = 30 * time.Second }},
		{name: "after a re-INVITE as well", method: "INVITE", was: func(d *dialogstore.Dialog) { d.Session.RefreshAfter = 30 * time.Second },
			want: func(d *dialogstore.Dialog) {
				d.Session, d.LastMethod = session(sessiontimer.Local, at(50), 30), "INVITE"
			}},
		{name: "a call without a timer stays so", was: func(d *dialogstore.Dialog) { d.Session = sessiontimer.Session{} },
			want: func(d *dialogstore.Dialog) { d.Session = sessiontimer.Session{} }},

		// Two 2xx cross.
		{name: "a 2xx of ours left after the request did: refreshed in time for both", method: "INVITE", ok: []string{"Session-Expires: 1800;refresher=uac"},
			sent: Sent{Proposal: sessiontimer.Proposal{Send: true, SessionExpires: sessiontimer.SessionExpires{Interval: 1800 * time.Second}}},
			was:  func(d *dialogstore.Dialog) { d.Session = session(sessiontimer.Local, at(46), 0) },
			want: func(d *dialogstore.Dialog) {
				d.Session = sessiontimer.Session{Interval: 1800 * time.Second, Refresher: sessiontimer.Local, Since: at(50), RefreshAfter: 45 * time.Second}
				d.LastMethod = "INVITE"
			}},
		{name: "one that left before it", method: "INVITE", ok: []string{"Session-Expires: 1800;refresher=uac"},
			sent: Sent{Proposal: sessiontimer.Proposal{Send: true, SessionExpires: sessiontimer.SessionExpires{Interval: 1800 * time.Second}}},
			was:  func(d *dialogstore.Dialog) { d.Session = session(sessiontimer.Local, at(44), 0) },
			want: func(d *dialogstore.Dialog) {
				d.Session = sessiontimer.Session{Interval: 1800 * time.Second, Refresher: sessiontimer.Local, Since: at(50)}
				d.LastMethod = "INVITE"
			}},

		// UPDATE refused, whatever Allow lists.
		{name: "UPDATEs before were refused", method: "INVITE", ok: ours, sent: Sent{NoUpdate: true}, want: func(d *dialogstore.Dialog) {
			d.Session, d.LastMethod, d.NoUpdate = session(sessiontimer.Local, at(50), 0), "INVITE", true
		}},
		{name: "a re-INVITE says nothing of it", method: "INVITE", ok: ours, was: func(d *dialogstore.Dialog) { d.NoUpdate = true }, want: func(d *dialogstore.Dialog) {
			d.Session, d.LastMethod, d.NoUpdate = session(sessiontimer.Local, at(50), 0), "INVITE", true
		}},
		{name: "an UPDATE that is accepted does", ok: ours, was: func(d *dialogstore.Dialog) { d.NoUpdate = true }},
		{name: "Allow", ok: []string{ours[0], "Allow: UPDATE"}, want: func(d *dialogstore.Dialog) { d.PeerUpdate = true }},

		// Where the peer is.
		{name: "it has answered elsewhere", ok: ours, sent: Sent{Remember: &elsewhere}, want: func(d *dialogstore.Dialog) { d.Answered = elsewhere }},
		{name: "it has moved meanwhile", ok: []string{ours[0], "Contact: <sip:peer@192.0.2.3>"}, source: "192.0.2.3:5060", sent: Sent{Remember: &elsewhere},
			want: func(d *dialogstore.Dialog) {
				d.RemoteTarget, d.Source, d.Answered = "sip:peer@192.0.2.3", "192.0.2.3:5060", ""
			}},

		// RFC 6141 §4.4: where we are.
		{name: "we move", ok: ours, contact: "<sip:us@192.0.2.101>", want: func(d *dialogstore.Dialog) {
			d.Contact, d.LocalAddr = "<sip:us@192.0.2.101>", "192.0.2.101:5060"
		}},
		{name: "to an unknown socket", ok: ours, contact: "<sip:us@192.0.2.101>", sent: Sent{LocalAddr: func() string { return "" }},
			want: func(d *dialogstore.Dialog) { d.Contact = "<sip:us@192.0.2.101>" }},
		{name: "a Contact that lacks the port", ok: ours, contact: "<sip:us@192.0.2.100>"},
		{name: "the Contact that is stored", ok: ours, contact: "<sip:us@192.0.2.100:5060>"},

		{name: "another description", ok: ours, news: true, want: func(d *dialogstore.Dialog) { AgreeOn(&d.State, agreed("ours again", "peer's again")) }},
		{name: "neither Min-SE nor CSeq of a 2xx is the peer's", ok: []string{ours[0], "Min-SE: 120"}},
		{name: "what it requires is not accepted for later requests", ok: []string{ours[0], "Require: x-a"}},
	} {
		if c.method == "" {
			c.method = "UPDATE"
		}
		lines := renewalLines(c.method, c.ok)
		lines[0] = "SIP/2.0 200 OK"
		res := parse[*sip.Response](t, lines...)
		res.SetTransport("UDP")
		res.SetSource(c.source)
		if !c.sent.Proposal.Send {
			c.sent.Proposal = sessiontimer.Proposal{Send: true, SessionExpires: sessiontimer.SessionExpires{Interval: 90 * time.Second, Refresher: sessiontimer.UAC}}
		}
		if c.sent.LocalAddr == nil {
			c.sent.LocalAddr = func() string { return "192.0.2.101:5060" }
		}
		c.sent.At, c.sent.Policy = at(45), sessiontimer.DefaultPolicy()
		r := Renewal{Request: sip.NewRequest(sip.RequestMethod(c.method), sip.Uri{}), At: at(50), Fields: sipmsg.Fields(res, c.sent.Policy),
			Seen: indialog.SightingIn(res), Contact: contactOf(t, c.contact), Agreed: agreed("ours again", "peer's again"), News: c.news}
		want := renewed(func(d *dialogstore.Dialog) {
			d.Session, d.LastMethod = session(sessiontimer.Local, at(50), 40), "UPDATE"
			if c.want != nil {
				c.want(d)
			}
		})
		was := renewed(c.was)
		if diff := cmp.Diff(want.State, r.Accepted(was, c.sent)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if r.Renewed == want.Session.Equal(was.Session) {
			t.Errorf("%s: renewed is %t", c.name, r.Renewed)
		}
	}
}

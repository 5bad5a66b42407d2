package server

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// asking are the header fields of an INVITE that asks for a timer.
var asking = []string{"Session-Expires: 1800;refresher=uac", "Supported: timer"}

// firstOf is an INVITE outside dialogs that the application may answer.
func (d *desk) firstOf(t *testing.T, tx sip.ServerTransaction, headers ...string) *firstInvite {
	t.Helper()
	req, policy := fromPeer(t, "INVITE", "", headers...), sessiontimer.DefaultPolicy()
	return &firstInvite{request: request{ServerTransaction: tx, s: d.Server, req: req, fields: sipmsg.Fields(req, policy), policy: policy}}
}

// answering is a response of the application with our tag, or without one if tag is empty.
func answering(f *firstInvite, status int, tag string, headers ...string) *sip.Response {
	res := okTo(f.req, "", headers...)
	res.StatusCode, res.Reason = status, ""
	res.RemoveHeader("To")
	to := &sip.ToHeader{Address: sip.Uri{Scheme: "sip", User: "us", Host: "example.com"}, Params: sip.NewParams()}
	if tag != "" {
		to.Params.Add("tag", tag)
	}
	res.AppendHeader(to)
	return res
}

// RFC 4028 §9: an INVITE whose interval is too small gets 422 if its sender would understand
// it, and one without timers gets 421 if our policy requires them. Both are counted.
func TestFirstRefused(t *testing.T) {
	small := []string{"Session-Expires: 60", "Supported: timer"}
	for _, c := range []struct {
		name    string
		mode    sessiontimer.Mode
		headers []string
		status  int // 0 for none
		header  string
		value   string
	}{
		{"large enough", sessiontimer.Offer, asking, 0, "", ""},
		{"too small", sessiontimer.Offer, small, 422, "Min-SE", "90"},
		{"too small of one that would not understand", sessiontimer.Offer, small[:1], 0, "", ""},
		{"without timers", sessiontimer.Always, nil, 0, "", ""},
		{"without timers, and we require them", sessiontimer.Require, nil, 421, "Require", "timer"},
		{"with timers, and we require them", sessiontimer.Require, asking, 0, "", ""},
	} {
		d, tx := newDesk(t.Context()), new(keeping)
		f := d.firstOf(t, tx, c.headers...)
		f.policy.Mode = c.mode
		refused := f.refused()
		if refused != (c.status != 0) || (len(tx.sent) == 1) != refused {
			t.Errorf("%s: refused %t with %v, want %d", c.name, refused, tx.statuses(), c.status)
			continue
		}
		if refused && (tx.sent[0].StatusCode != c.status || tx.sent[0].GetHeader(c.header) == nil || tx.sent[0].GetHeader(c.header).Value() != c.value) {
			t.Errorf("%s: sent\n%s", c.name, tx.sent[0])
		}
		if n := d.calls.Figures.Read()[""].Negotiated[calls.Incoming][calls.TimerRefused]; (n == 1) != refused {
			t.Errorf("%s: %d are counted", c.name, n)
		}
	}
}

// RFC 3261 §12.1.1: a provisional response with a tag makes an early dialog. One with another
// tag takes its place, and a refusal, or the end of the handler, forgets it. After a 2xx it
// stays.
func TestFirstRings(t *testing.T) {
	ringing := func(d *desk, tag string) bool {
		set := d.calls.Sets.Find("call", tag)
		if set == nil {
			return false
		}
		_, early := set.Early("theirs")
		return early
	}
	for name, end := range map[string]func(*firstInvite){
		"refused":             func(f *firstInvite) { _ = f.Respond(answering(f, 486, "two")) },
		"refused without tag": func(f *firstInvite) { _ = f.Respond(answering(f, 486, "")) },
		"not answered":        func(f *firstInvite) { f.close() },
	} {
		d, tx := newDesk(t.Context()), new(keeping)
		f := d.firstOf(t, tx, theirsSDP)
		for _, c := range []struct {
			tag  string
			sets int
		}{{"", 0}, {"one", 1}, {"one", 1}, {"two", 1}, {"", 1}} {
			if err := f.Respond(answering(f, 180, c.tag)); err != nil || d.calls.Sets.Len() != c.sets || c.tag != "" && !ringing(d, c.tag) {
				t.Errorf("%s: after a 180 with the tag %q: %v, %d sets; want %d", name, c.tag, err, d.calls.Sets.Len(), c.sets)
			}
		}
		if ringing(d, "one") || f.dialog.Agreed().Equal(f.dialog.AgreedAfter(calls.Responded(f.req, okTo(f.req, oursSDP)))) {
			t.Errorf("%s: the former dialog rings, or the INVITE's offer is not known", name)
		}
		if end(f); d.calls.Sets.Len() != 0 {
			t.Errorf("%s: %d sets are left", name, d.calls.Sets.Len())
		}
		if err := f.Respond(answering(f, 200, "two")); errors.Is(err, sip.ErrTransactionTerminated) != f.refusal || f.refusal != (name != "not answered") {
			t.Errorf("%s: a 2xx after that: %v", name, err)
		}
	}
	d := newDesk(t.Context())
	f := d.firstOf(t, new(keeping))
	if err := f.Respond(answering(f, 200, "ours")); err != nil {
		t.Fatal(err)
	}
	if f.close(); !d.calls.Sets.Find("call", "ours").Lives("theirs") {
		t.Error("the end of the handler forgets a call that was accepted")
	}
	if err := f.Respond(answering(f, 486, "ours")); err != nil || !d.calls.Sets.Find("call", "ours").Lives("theirs") {
		t.Errorf("a refusal after the 2xx: %v, and it forgets the call", err)
	}
}

// RFC 4028 §9: the application's 2xx gets the session timer, and its dialog is stored before it
// leaves, so that whoever has seen the 2xx finds it. The event follows, when the 2xx has left.
// What cannot be stored is a call without a timer, and what cannot be sent is no call.
func TestFirstAccepted(t *testing.T) {
	for _, c := range []struct {
		name      string
		tcp       bool
		tag       string
		fails     error
		unstored  bool
		exists    bool // the 2xx makes a dialog
		logged    string
		ownHeader string // Session-Expires of the application
		interval  time.Duration
	}{
		{name: "accepted", tag: "ours", exists: true, interval: 1800 * time.Second},
		{name: "accepted over TCP", tcp: true, tag: "ours", exists: true, interval: 1800 * time.Second},
		{name: "with timers of its own", tag: "ours", ownHeader: "600;refresher=uas", exists: true, interval: 600 * time.Second},
		{name: "without a tag"},
		{name: "not sent", tag: "ours", fails: errors.New("of the test")},
		{name: "not stored", tag: "ours", unstored: true, logged: "error="},
	} {
		d, tx := newDesk(t.Context()), &keeping{fails: c.fails}
		if c.unstored {
			d.calls.Store = dialogstore.Observe(uncreatable{dialogstore.NewMemory()})
		}
		asks, refresher := asking[0], sessiontimer.Peer
		if c.ownHeader != "" {
			asks, refresher = "Session-Expires: 1800", sessiontimer.Local
		}
		f := d.firstOf(t, nil, asks, asking[1], theirsSDP)
		if c.tcp {
			f.req.SetTransport("TCP")
		}
		stored, uncommitted := false, false
		f.ServerTransaction = &watched{func(*sip.Response) {
			if len(tx.sent) > 0 {
				return // it is sent again
			}
			_, err := d.calls.Store.Load(t.Context(), callID)
			stored, uncommitted = err == nil, f.dialog != nil && f.dialog.Uncommitted()
			if len(d.events) != 0 {
				t.Errorf("%s: the event comes before the 2xx: %+v", c.name, d.events)
			}
		}, tx}
		res := answering(f, 200, c.tag, "Content-Type: application/sdp", "Contact: <sip:us@10.0.0.2:5060>")
		res.SetBody([]byte(oursSDP))
		if c.ownHeader != "" {
			res.AppendHeader(sip.NewHeader("Session-Expires", c.ownHeader))
		}
		if err := f.Respond(res); !errors.Is(err, c.fails) || (f.sent() == nil) != (c.fails != nil) {
			t.Errorf("%s: %v, and the 2xx that counts is %v", c.name, err, f.sent())
		}
		if stored != (c.tag != "" && !c.unstored) || uncommitted != (c.tag != "") || f.dialog != nil && f.dialog.Uncommitted() {
			t.Errorf("%s: while it is sent stored %t, uncommitted %t", c.name, stored, uncommitted)
		}
		if c.logged != "" {
			d.wantLine(t, c.name, "level=ERROR", c.logged)
		} else if d.logs.String() != "" {
			t.Errorf("%s: logged %q", c.name, d.logs)
		}
		kept, err := d.calls.Store.Load(t.Context(), callID)
		if (err == nil) != c.exists || (len(d.events) == 1) != c.exists {
			t.Errorf("%s: %v, events %+v; want a call: %t", c.name, err, d.events, c.exists)
		}
		if !c.exists {
			continue
		}
		if e, ok := d.events[0].(sessiontimer.Negotiated); !ok || e.Interval != c.interval || res.GetHeader("Session-Expires") == nil || len(res.GetHeaders("Session-Expires")) != 1 {
			t.Errorf("%s: event %+v, sent\n%s", c.name, d.events[0], res)
		}
		transport := map[bool]string{false: "udp", true: "tcp"}[c.tcp]
		if kept.Session.Interval != c.interval || kept.Session.Refresher != refresher || kept.Transport != transport || kept.RemoteCSeq != 2 || string(kept.PeerSDP) != theirsSDP || string(kept.SDP) != oursSDP ||
			kept.Policy.SessionExpires != c.interval || kept.LocalCSeq != f.dialog.Count.LastCSeq() {
			t.Errorf("%s: stored\n%+v", c.name, kept)
		}
		if _, unconfirmed := f.dialog.Busy(); !f.dialog.Unproved() || !unconfirmed || string(f.dialog.Agreed().Peers.Body) != theirsSDP {
			t.Errorf("%s: unproved %t, the ACK is to come: %t, agreed %+v", c.name, f.dialog.Unproved(), unconfirmed, f.dialog.Agreed())
		}
		if err := f.Respond(answering(f, 200, "ours")); err != nil || len(tx.sent) != 2 || len(d.events) != 1 {
			t.Errorf("%s: again: %v, sent %v, events %+v; want it sent, and no second call", c.name, err, tx.statuses(), d.events)
		}
	}
}

// RFC 3262 §5: what a reliable provisional response answers is agreed in the early dialog.
func TestFirstProgress(t *testing.T) {
	d := newDesk(t.Context())
	f := d.firstOf(t, new(keeping), theirsSDP)
	res := answering(f, 183, "ours", "RSeq: 1", "Require: 100rel", "Content-Type: application/sdp")
	res.SetBody([]byte(oursSDP))
	if err := f.Respond(res); err != nil || string(f.dialog.Agreed().Peers.Body) != theirsSDP {
		t.Errorf("%v, agreed is %+v", err, f.dialog.Agreed())
	}
}

// uncreatable is a store that takes no dialog.
type uncreatable struct{ dialogstore.Store }

func (uncreatable) Create(ctx context.Context, d dialogstore.Dialog) error {
	return errors.New("of the test")
}

// The socket at which a call came in over UDP is noted; a stream's is of no use to others.
func TestFirstSocket(t *testing.T) {
	for transport, want := range map[string]string{"UDP": "10.0.0.2:5060", "TCP": ""} {
		d := newDesk(t.Context())
		f := d.firstOf(t, &connected{keeping: new(keeping), conn: &socket{}})
		f.req.SetTransport(transport)
		if err := f.Respond(answering(f, 200, "ours")); err != nil || d.calls.Socket() != want || d.kept(t).LocalAddr != "10.0.0.2:5060" {
			t.Errorf("%s: %v, at %q, stored %q; want %q", transport, err, d.calls.Socket(), d.kept(t).LocalAddr, want)
		}
	}
}

// connected is a transaction on a connection.
type connected struct {
	*keeping
	conn sip.Connection
}

func (c *connected) Connection() sip.Connection { return c.conn }

// socket is bound to 10.0.0.2:5060.
type socket struct{ sip.Connection }

func (socket) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 5060} }

// An INVITE that the application forwards as a proxy passes untouched, and what its earlier
// responses made is forgotten.
func TestFirstRelayed(t *testing.T) {
	d, tx := newDesk(t.Context()), new(keeping)
	f := d.firstOf(t, tx, asking...)
	if err := f.Respond(answering(f, 180, "ours")); err != nil || d.calls.Sets.Len() != 1 {
		t.Fatalf("%v, %d sets", err, d.calls.Sets.Len())
	}
	d.calls.Relay(f.req)
	res := answering(f, 200, "others")
	if err := f.Respond(res); err != nil || res.GetHeader("Session-Expires") != nil || d.calls.Sets.Len() != 0 || len(d.events) != 0 || len(tx.sent) != 2 {
		t.Errorf("%v, %d sets, events %+v, sent\n%s", err, d.calls.Sets.Len(), d.events, res)
	}
}

// sipgo's dialogs keep the transaction of an INVITE for the whole call, so that lets go of what
// it knew once there is a 2xx. What is sent again says what was said; a 2xx that was not sent
// was none, and those of a proxy are not ours.
func TestFirstTx(t *testing.T) {
	d, tx := newDesk(t.Context()), new(keeping)
	first := &firstTx{ServerTransaction: tx, invite: d.firstOf(t, tx, asking...)}
	f := first.invite
	if err := first.Respond(answering(f, 180, "ours")); err != nil || first.invite != f {
		t.Errorf("a 180: %v, kept %t", err, first.invite == f)
	}
	tx.fails = errors.New("of the test")
	if err := first.Respond(answering(f, 200, "ours")); !errors.Is(err, tx.fails) || first.invite != f || first.sent != nil {
		t.Errorf("a 2xx that is not sent: %v, kept %t, sent %v", err, first.invite == f, first.sent)
	}
	tx.fails = nil
	if err := first.Respond(answering(f, 200, "ours")); err != nil || first.invite != nil || first.sent == nil {
		t.Errorf("the next: %v, kept %t, sent %v", err, first.invite != nil, first.sent)
	}
	again := answering(f, 200, "ours")
	if err := first.Respond(again); err != nil || again.GetHeader("Session-Expires") == nil || tx.sent[len(tx.sent)-1] != again {
		t.Errorf("sent again: %v\n%s", err, again)
	}
	late := answering(f, 486, "ours")
	if err := first.Respond(late); err != nil || late.GetHeader("Session-Expires") != nil || len(tx.sent) != 4 {
		t.Errorf("a refusal after that: %v, sent %v", err, tx.statuses())
	}

	relayed := &firstTx{ServerTransaction: tx, invite: d.firstOf(t, tx, asking...)}
	f = relayed.invite
	d.calls.Relay(f.req)
	for range 2 { // of two parties
		res := answering(f, 200, "others")
		if err := relayed.Respond(res); err != nil || res.GetHeader("Session-Expires") != nil || relayed.invite != f {
			t.Errorf("a 2xx of another: %v, kept %t\n%s", err, relayed.invite == f, res)
		}
	}
}

package server

import (
	"context"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// Who answers an UPDATE in a call (RFC 3311 §5.2): the timers if it only refreshes, or repeats
// what is agreed where the application has no handler; the application otherwise, if it can.
func TestUpdate(t *testing.T) {
	const own, rest, invite = "own", "rest", "invite"
	type config = func(*desk)
	app := func(a calls.Application) config { return func(d *desk) { d.calls.SetApplication(a) } }
	answers := func(c *calls.Config) { c.AnswerUpdate = true }
	ownTimers := func(d *desk) {
		d.calls.OwnTimers.In(okTo(sip.NewRequest(sip.UPDATE, sip.Uri{}), "", "Session-Expires: 90"))
	}
	orphan := func(d *desk) { d.calls.Expect(callID, "a", false) }
	handed := func(d *desk) { d.calls.HandedOver = func() bool { return true } }
	another := func(d *desk) { d.flight().OpenUpdate(false) }
	ours := func(d *desk) { _ = d.flight().BeginOwn(context.Background(), func() {}, true) }
	both := func(a, b config) config { return func(d *desk) { a(d); b(d) } }
	named := func(given *string) calls.Application {
		return calls.Application{ReInvites: true, Invite: func(*sip.Request, sip.ServerTransaction) { *given = invite }}
	}
	for _, c := range []struct {
		name     string
		headers  []string
		handlers string // own, rest or both; empty for none
		options  func(*calls.Config)
		setUp    config // before the call is there
		meets    config // what the UPDATE meets
		offers   bool   // the application takes UPDATEs with an offer as re-INVITEs
		given    string // to whom of the application; empty for nobody
		status   int    // 0 for none
		header   string // of the refusal
		counted  bool   // its CSeq is stored
	}{
		{name: "a refresh", status: 200, counted: true},
		{name: "a refresh, and a handler for the rest", handlers: rest, status: 200, counted: true},
		{name: "a refresh, and a handler for UPDATE", handlers: own + rest, given: own, counted: true},
		{name: "the same, and the timers answer", handlers: own, options: answers, status: 200, counted: true},
		{name: "the same, but it requires what only the handler may know", headers: []string{"Require: x-a"}, handlers: own, options: answers, given: own, counted: true},
		{name: "a refresh that requires what is not known", headers: []string{"Require: x-a"}, status: 420, header: "Unsupported", counted: true},
		{name: "a refresh that is too short", headers: []string{"Session-Expires: 60", "Supported: timer"}, status: 422, header: "Min-SE", counted: true},
		{name: "an offer that repeats what is agreed", headers: []string{theirsSDP}, status: 200, counted: true},
		{name: "the same with a handler for the rest", headers: []string{theirsSDP}, handlers: rest, given: rest, counted: true},
		{name: "another offer", headers: []string{otherSDP}, status: 488, counted: true},
		{name: "another offer, and a handler", headers: []string{otherSDP}, handlers: own, given: own, counted: true},
		{name: "another offer, taken as a re-INVITE", headers: []string{otherSDP}, offers: true, given: invite, status: 488, counted: true},
		{name: "another offer, and re-INVITEs go elsewhere", headers: []string{otherSDP},
			setUp: app(calls.Application{Invite: func(req *sip.Request, tx sip.ServerTransaction) { _ = tx.Respond(okTo(req, oursSDP)) }}), status: 488, counted: true},
		{name: "another body", headers: []string{theirsSDP, "Content-Type: text/plain"}, status: 415, header: "Accept", counted: true},
		{name: "an application with timers of its own", setUp: ownTimers, status: 405, counted: true},
		{name: "the same with a handler for the rest", setUp: ownTimers, handlers: rest, given: rest, counted: true},
		{name: "the same, and the timers answer", setUp: ownTimers, handlers: rest, options: answers, status: 200, counted: true},
		{name: "the same without a dialog", setUp: both(ownTimers, orphan), status: 200, counted: true},
		{name: "an offer where the application has no dialog", headers: []string{otherSDP}, handlers: own + rest, setUp: orphan, offers: true, status: 488, counted: true},
		{name: "a refresh there", handlers: own + rest, setUp: orphan, status: 200, counted: true},
		{name: "handed over", setUp: handed, status: 500, header: "Retry-After"},
		{name: "out of order", headers: []string{"CSeq: 0 UPDATE"}, status: 500},
		{name: "beside another", meets: another, status: 500, header: "Retry-After", counted: true},
		{name: "an offer beside one of ours", headers: []string{otherSDP}, meets: ours, status: 491, counted: true},
	} {
		options := []func(*calls.Config){}
		if c.options != nil {
			options = append(options, c.options)
		}
		d, tx, given := newDesk(t.Context(), options...), new(keeping), ""
		if c.offers {
			d.calls.SetApplication(named(&given))
		}
		if c.setUp != nil {
			c.setUp(d)
		}
		d.resumed(t, aCall())
		if c.meets != nil {
			c.meets(d)
		}
		handler := func(who string) sipgo.RequestHandler {
			if c.handlers != who && c.handlers != own+rest {
				return nil
			}
			return func(*sip.Request, sip.ServerTransaction) { given += who }
		}
		d.Update(handler(own), handler(rest), fromPeer(t, "UPDATE", "ours", c.headers...), tx)
		if given != c.given || c.status == 0 && len(tx.sent) != 0 || c.status != 0 && (len(tx.sent) != 1 || tx.sent[0].StatusCode != c.status) {
			t.Errorf("%s: given to %q, sent %v; want %q, %d", c.name, given, tx.statuses(), c.given, c.status)
			continue
		}
		if c.header != "" && tx.sent[0].GetHeader(c.header) == nil {
			t.Errorf("%s: sent\n%s\nwant %s", c.name, tx.sent[0], c.header)
		}
		if kept := d.kept(t); (kept.RemoteCSeq == 2) != c.counted {
			t.Errorf("%s: the CSeq %d is stored, want its own: %t", c.name, kept.RemoteCSeq, c.counted)
		}
		if clash := d.flight().OpenUpdate(false); (clash == dialogset.NoClash) == (c.name == "beside another") {
			t.Errorf("%s: the next UPDATE: clash %d", c.name, clash)
		}
	}
}

// flight is the call in flight.
func (d *desk) flight() *dialogset.Dialog { return d.calls.Sets.Find("call", "ours").Dialog("theirs") }

// RFC 3311 §5.1, RFC 3261 §12.2.2: an UPDATE whose dialog is not stored is the application's, if
// it has a handler. Else it is answered for an early dialog, put off for one that is about to be
// stored, and refused in a way that ends no call that may be there.
func TestUpdateNotStored(t *testing.T) {
	contact := &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: "us", Host: "10.0.0.2"}}
	for _, c := range []struct {
		name      string
		headers   []string
		state     string // of the dialog: early, bare (without a Contact), confirmed, other (another dialog in the set); empty for none
		handler   bool
		elsewhere bool
		off       bool
		status    int // 0 for none
		header    string
	}{
		{name: "of nobody", status: 481},
		{name: "of nobody, timers may be off", off: true, status: 405},
		{name: "of nobody in a set that is known", state: "other", status: 481},
		{name: "the same, timers may be off", state: "other", off: true, status: 481},
		{name: "of nobody, and a handler", handler: true},
		{name: "of another node", elsewhere: true, handler: true, status: 500, header: "Retry-After"},
		{name: "about to be stored", state: "confirmed", status: 500, header: "Retry-After"},
		{name: "while it rings", state: "early", status: 200, header: "Contact"},
		{name: "while it rings without a Contact", state: "bare", status: 200, header: "Supported"},
		{name: "while it rings, with an extension that we have listed", state: "early", headers: []string{"Require: listed"}, status: 200, header: "Supported"},
		{name: "with one that we have not", state: "early", headers: []string{"Require: x-a"}, status: 420, header: "Unsupported"},
		{name: "while it rings, with an offer", state: "early", headers: []string{otherSDP}, status: 488},
		{name: "while it rings, and a handler", state: "early", headers: []string{otherSDP}, handler: true},
	} {
		d, tx, given := newDesk(t.Context(), func(config *calls.Config) {
			if c.off {
				config.Policy.Mode = sessiontimer.Off
			}
		}), new(keeping), false
		d.calls.Elsewhere = func(context.Context, dialogstore.ID) (bool, bool) { return c.elsewhere, true }
		tag := map[string]string{"early": "theirs", "bare": "theirs", "confirmed": "theirs", "other": "others"}[c.state]
		if tag != "" {
			told := dialogset.Told{Contact: contact, Extensions: "listed"}
			if c.state == "bare" {
				told.Contact = nil
			}
			dialog := d.calls.Sets.Open("call", "ours").Ring(tag, 1, told)
			if c.state == "confirmed" {
				dialog.Accepted()
			}
		}
		var next sipgo.RequestHandler
		if c.handler {
			next = func(*sip.Request, sip.ServerTransaction) { given = true }
		}
		d.Update(next, nil, fromPeer(t, "UPDATE", "ours", c.headers...), tx)
		if given != (c.status == 0) || given == (len(tx.sent) > 0) {
			t.Errorf("%s: given %t, sent %v; want %d", c.name, given, tx.statuses(), c.status)
			continue
		}
		if c.status == 0 {
			continue
		}
		res := tx.sent[0]
		if res.StatusCode != c.status || c.header != "" && res.GetHeader(c.header) == nil || res.GetHeader("Session-Expires") != nil {
			t.Errorf("%s: sent\n%s\nwant %d with %s", c.name, res, c.status, c.header)
		}
		if c.state == "bare" {
			if res.Contact() != nil {
				t.Errorf("%s: the Contact is %v, want none", c.name, res.Contact())
			}
		} else if c.status == 200 && (res.Contact().Value() != contact.Value() || res.Contact() == contact) {
			t.Errorf("%s: the Contact is %v, want a copy of ours", c.name, res.Contact())
		}
	}
}

// An offer waits for the ACK of the INVITE before it, as long as TestAwaitAck says; a refresh
// does not.
func TestUpdateAwaitsAck(t *testing.T) {
	for body, want := range map[string]time.Duration{"": 0, otherSDP: 4 * sip.T1} {
		bubble.Test(t, func(t *testing.T) {
			d := newDesk(t.Context())
			_, dialog := d.resumed(t, aCall())
			offered(t, dialog, time.Now(), false)
			req, begun := fromPeer(t, "UPDATE", "ours", "CSeq: 3 UPDATE", "Content-Type: application/sdp"), time.Now()
			req.SetBody([]byte(body))
			if d.Update(nil, nil, req, new(keeping)); time.Since(begun) != want {
				t.Errorf("with the body %q it waits %v, want %v", body, time.Since(begun), want)
			}
		})
	}
}

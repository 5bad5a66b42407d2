package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// agreeing is a request in a dialog in which both descriptions, which may be empty, are agreed.
func agreeing(t *testing.T, ours, theirs string, headers ...string) *laterRequest {
	dialog := new(dialogset.Dialog)
	dialog.Recall(offeranswer.Agreed{Ours: offeranswer.Description{Body: []byte(ours), Type: "application/sdp"},
		Peers: offeranswer.Description{Body: []byte(theirs), Type: "application/sdp"}})
	return &laterRequest{request: request{req: fromPeer(t, "INVITE", "ours", headers...)}, dialog: dialog}
}

const held = "a=sendonly\r\n"

// RFC 3261 §14.2: a re-INVITE without a description is offered what is in force. On hold it may
// be meant to resume the call, which only the application can offer, if it makes offers at all.
func TestOfferInForce(t *testing.T) {
	for _, c := range []struct {
		name         string
		ours, theirs string
		mayOffer     bool
		here         bool
	}{
		{"in force", oursSDP, theirsSDP, false, true},
		{"in force, and the application could offer", oursSDP, theirsSDP, true, true},
		{"on hold", oursSDP, theirsSDP + held, false, true},
		{"on hold, and the application could offer", oursSDP, theirsSDP + held, true, false},
		{"on hold by us", oursSDP + held, theirsSDP, true, false},
		{"nothing", "", "", false, false},
	} {
		offer, here := agreeing(t, c.ours, c.theirs).offerInForce(c.mayOffer)
		if here != c.here || here && string(offer.Body) != c.ours {
			t.Errorf("%s: offered here: %t with %q, want %t", c.name, here, offer.Body, c.here)
		}
	}
}

// RFC 3264 §8: an offer that repeats what is agreed is answered with what is in force. One that
// changes anything, if only its version, is for the application, and so is one in a call of
// which nothing is known.
func TestAnswerInForce(t *testing.T) {
	raised := strings.Replace(theirsSDP, "o=peer 1 1", "o=peer 1 2", 1)
	for _, c := range []struct {
		name         string
		ours, theirs string
		headers      []string
		here         bool
	}{
		{"the same", oursSDP, theirsSDP, []string{theirsSDP}, true},
		{"without a description", oursSDP, theirsSDP, nil, false},
		{"another body", oursSDP, theirsSDP, []string{theirsSDP, "Content-Type: text/plain"}, false},
		{"with another port", oursSDP, theirsSDP, []string{otherSDP}, false},
		{"with another version alone", oursSDP, theirsSDP, []string{raised}, false},
		{"of which we agreed on none", "", theirsSDP, []string{theirsSDP}, false},
		{"of nothing that was agreed", "", "", []string{theirsSDP}, false},
	} {
		answer, here := agreeing(t, c.ours, c.theirs, c.headers...).answerInForce()
		if here != c.here || here && (string(answer.Body) != c.ours || answer.Type != "application/sdp") {
			t.Errorf("%s: answered here: %t with %+v, want %t", c.name, here, answer, c.here)
		}
	}
}

// RFC 4028 §9: a refresh that is answered here gets our Contact, the answer, and the session
// timer, and the session starts anew. A dialog that has ended gets 481. Where the 2xx would be
// too long for a datagram it has no timer, and where that does not help the refusal is a 500,
// which ends no call (§10).
func TestAnswerHere(t *testing.T) {
	answer := offeranswer.Description{Body: []byte(oursSDP), Type: "application/sdp;q=1"}
	// contact fills the 2xx to this size without the timer; 1300 fit over UDP.
	contact := func(size int) string {
		bare := okTo(fromPeer(t, "UPDATE", "ours"), "", "Contact: <sip:us@10.0.0.2:5060;x=>")
		return "<sip:us@10.0.0.2:5060;x=" + strings.Repeat("x", size-len(bare.String())) + ">"
	}
	for _, c := range []struct {
		name    string
		contact string
		answer  offeranswer.Description
		gone    bool
		fails   error
		second  bool // a 2xx was sent before: this one is a retransmission
		status  int  // 0 for none
		timer   bool
		logged  string
	}{
		{name: "with a description", contact: "<sip:us@10.0.0.2:5060>", answer: answer, status: 200, timer: true},
		{name: "without", contact: "<sip:us@10.0.0.2:5060>", status: 200, timer: true},
		{name: "without a Contact", status: 200, timer: true},
		{name: "ended meanwhile", gone: true, status: 481},
		{name: "too long with the timer", contact: contact(1290), status: 200},
		{name: "too long in any case", contact: contact(1301), status: 500, logged: "error="},
		{name: "sent again", contact: "<sip:us@10.0.0.2:5060>", second: true, status: 200, timer: true},
		{name: "not sent", fails: errors.New("of the test"), logged: `error="of the test"`},
	} {
		d, tx, call := newDesk(t.Context()), &keeping{fails: c.fails}, aCall()
		call.Contact, call.Session.Interval, call.Session.Since = c.contact, time.Hour, time.Now().Add(-time.Minute)
		_, dialog := d.resumed(t, call)
		if c.gone {
			if _, err := d.calls.Store.Delete(calls.Quietly, callID); err != nil {
				t.Fatal(err)
			}
		}
		l, _, err := d.later(fromPeer(t, "UPDATE", "ours", "Session-Expires: 3600;refresher=uac", "Supported: timer"), tx)
		if c.gone {
			l, err = &laterRequest{request: request{ServerTransaction: tx, s: d.Server, req: fromPeer(t, "UPDATE", "ours")}, id: callID, dialog: dialog, turn: noTurn{}}, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		earlier := okTo(l.req, "", "Session-Expires: 3600;refresher=uac")
		if c.second {
			l.success = earlier
		}
		l.answer(call, c.answer)
		if l.sent() != earlier && (l.sent() != nil) != (c.status == 200) || c.second && l.sent() != earlier {
			t.Errorf("%s: the 2xx that counts is %v", c.name, l.sent())
		}
		if c.status == 0 && len(tx.sent) != 0 || c.status != 0 && (len(tx.sent) != 1 || tx.sent[0].StatusCode != c.status) {
			t.Errorf("%s: sent %v, want %d", c.name, tx.statuses(), c.status)
			continue
		}
		if c.status == 200 {
			res := tx.sent[0]
			value := func(name string) string {
				if h := res.GetHeader(name); h != nil {
					return h.Value()
				}
				return ""
			}
			if value("Contact") != c.contact || (res.GetHeader("Contact") != nil) != (c.contact != "") || string(res.Body()) != string(c.answer.Body) || value("Content-Type") != c.answer.Type || (value("Session-Expires") != "") != c.timer {
				t.Errorf("%s: sent\n%s", c.name, res)
			}
		}
		if c.logged != "" {
			d.wantLine(t, c.name, "cannot accept the peer's refresh", "level=WARN", c.logged)
		} else if d.logs.Count("cannot answer") != 0 {
			t.Errorf("%s: logged %q", c.name, d.logs)
		}
		if c.gone {
			continue
		}
		kept, want := d.kept(t).Session, call.Session // as before, after a refusal
		if c.status == 200 && !c.second {
			if want = (sessiontimer.Session{}); c.timer {
				want = sessiontimer.Session{Interval: time.Hour, Refresher: sessiontimer.Peer, Since: kept.Since}
			}
			if c.timer && !kept.Since.After(call.Session.Since) {
				t.Errorf("%s: the session did not start anew", c.name)
			}
		}
		if !kept.Equal(want) {
			t.Errorf("%s: the session is %+v, want %+v", c.name, kept, want)
		}
	}
}

// RFC 3261 §12.1.1: Record-Route means nothing in the 2xx to a later request, and what no
// request can have passed is not copied from an UPDATE.
func TestAcceptance(t *testing.T) {
	for _, c := range []struct {
		method sip.RequestMethod
		routes int
		want   int // copied
	}{
		{sip.UPDATE, 2, 2}, {sip.UPDATE, 1000, 0}, {sip.INVITE, 1000, 1000},
	} {
		req := sip.NewRequest(c.method, sip.Uri{Scheme: "sip", Host: "10.0.0.2"})
		for range c.routes {
			req.AppendHeader(sip.NewHeader("Record-Route", "<sip:10.0.0.7;lr>"))
		}
		res := acceptance(req, []byte("v=0"))
		if got := len(res.GetHeaders("Record-Route")); got != c.want || res.StatusCode != 200 || string(res.Body()) != "v=0" {
			t.Errorf("%s with %d routes gets %d with %d of them and the body %q; want 200 with %d and v=0", c.method, c.routes, res.StatusCode, got, res.Body(), c.want)
		}
	}
}

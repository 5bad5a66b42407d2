package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// laterOf is a request in the call, which is stored.
func (d *desk) laterOf(t *testing.T, req *sip.Request, tx sip.ServerTransaction) *laterRequest {
	t.Helper()
	l, _, err := d.later(req, tx)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// takeTurn begins the turn of a request that meets no other.
func takeTurn(t *testing.T, l *laterRequest) {
	t.Helper()
	began := false
	if l.req.IsInvite() {
		invite, clash := l.dialog.OpenInvite(l.req.CSeq().SeqNo)
		began = l.begin(&inviteTurn{l.dialog, invite}, clash)
	} else {
		began = l.begin(&updateTurn{dialog: l.dialog}, l.dialog.OpenUpdate(calls.Described(l.req)))
	}
	if !began {
		t.Fatal("a request that is alone clashes")
	}
}

// A later request is read with the policy of its dialog. If its dialog is not stored, or the
// store is out of reach, that is the error; one that the application has dropped ends.
func TestLater(t *testing.T) {
	for _, c := range []struct {
		name   string
		store  dialogstore.Store // nil for one with the call
		gone   bool              // the application has dropped it
		failed bool
		events int
	}{
		{name: "stored"},
		{name: "not stored", store: dialogstore.NewMemory(), failed: true},
		{name: "out of reach", store: unreadable{dialogstore.NewMemory()}, failed: true},
		{name: "dropped by the application", gone: true, failed: true, events: 1},
	} {
		d, call, tx := newDesk(t.Context()), aCall(), new(keeping)
		call.Policy.Strict = true
		if c.store == nil {
			d.keep(t, call)
		} else {
			d.calls.Store = dialogstore.Observe(c.store)
		}
		d.calls.SetApplication(calls.Application{Gone: func(dialogstore.Dialog) bool { return c.gone }})
		req := fromPeer(t, "UPDATE", "ours", "Session-Expires: soon")
		l, got, err := d.later(req, tx)
		if (err != nil) != c.failed || (l == nil) != c.failed || len(d.events) != c.events {
			t.Errorf("%s: %v, %v, events %+v; want an error: %t, %d events", c.name, l, err, d.events, c.failed, c.events)
			continue
		}
		if c.gone {
			_, unknown := d.calls.Store.Load(t.Context(), callID)
			if e, ok := d.events[0].(sessiontimer.Ended); !ok || e.Reason.Cause != sessiontimer.CauseDialogClosed || !errors.Is(err, dialogstore.ErrNotFound) || unknown == nil {
				t.Errorf("%s: %v with the event %+v; want it ended", c.name, err, d.events[0])
			}
		}
		if c.failed {
			continue
		}
		if l.policy != call.Policy || !l.fields.Strict || l.id != callID || got.ID != callID || l.req != req || l.dialog != d.calls.Sets.Find("call", "ours").Dialog("theirs") {
			t.Errorf("%s: it is %+v of %+v", c.name, l, got)
		}
		if l.refusing(); l.turn != (noTurn{}) {
			t.Errorf("%s: it has a turn before it begins one", c.name)
		}
		d.wantLine(t, c.name, "malformed session-timer header field", "soon")
	}
}

// What is agreed is read from the store for a request that may change it, and for no other; and
// each of them proves that the peer is there.
func TestLaterRecalls(t *testing.T) {
	for name, c := range map[string]struct {
		req  *sip.Request
		want bool
	}{
		"an INVITE":                     {fromPeer(t, "INVITE", "ours"), true},
		"an UPDATE with a description":  {fromPeer(t, "UPDATE", "ours", theirsSDP), true},
		"an UPDATE that only refreshes": {fromPeer(t, "UPDATE", "ours"), false},
	} {
		d := newDesk(t.Context())
		d.keep(t, aCall())
		dialog := unproved(d)
		if l := d.laterOf(t, c.req, new(keeping)); (len(l.dialog.Agreed().Ours.Body) > 0) != c.want {
			t.Errorf("%s: agreed is %+v, want it known: %t", name, l.dialog.Agreed(), c.want)
		}
		if dialog.Unproved() {
			t.Errorf("%s does not prove that the peer is there", name)
		}
	}
}

// RFC 3261 §12.2.2: a request with a lower CSeq than one before, stored or not, gets 500. Its
// own CSeq counts for those that follow.
func TestOutOfOrder(t *testing.T) {
	d := newDesk(t.Context())
	d.keep(t, aCall())
	for _, c := range []struct {
		cseq   string
		stored uint32
		older  bool
	}{{"4", 5, true}, {"5", 5, false}, {"7", 5, false}, {"6", 5, true}, {"7", 5, false}} {
		tx := new(keeping)
		l := d.laterOf(t, fromPeer(t, "UPDATE", "ours", "CSeq: "+c.cseq+" UPDATE"), tx)
		older := l.outOfOrder(dialogstore.Dialog{State: dialogstore.State{RemoteCSeq: c.stored}})
		if older != c.older || (len(tx.sent) == 1) != c.older {
			t.Errorf("%s after %d: out of order %t, sent %v; want %t", c.cseq, c.stored, older, tx.statuses(), c.older)
		}
		if older && (tx.sent[0].StatusCode != 500 || tx.sent[0].GetHeader("Retry-After") != nil) {
			t.Errorf("%s: sent\n%s", c.cseq, tx.sent[0])
		}
	}
}

// The CSeq of a refused request is stored, the highest of several. That of an accepted one goes
// with its 2xx.
func TestCount(t *testing.T) {
	for _, c := range []struct {
		name      string
		cseq      string
		accepted  bool
		before    uint32 // what the request found in the store
		meanwhile uint32 // what is there now
		want      uint32
		written   bool
	}{
		{name: "refused", cseq: "9", before: 1, meanwhile: 1, want: 9, written: true},
		{name: "refused again", cseq: "9", before: 9, meanwhile: 9, want: 9},
		{name: "refused, and a later one is quicker", cseq: "9", before: 1, meanwhile: 11, want: 11, written: true},
		{name: "accepted", cseq: "9", accepted: true, before: 1, meanwhile: 1, want: 1},
	} {
		d, call := newDesk(t.Context()), aCall()
		call.RemoteCSeq = c.meanwhile
		d.keep(t, call)
		l := d.laterOf(t, fromPeer(t, "UPDATE", "ours", "CSeq: "+c.cseq+" UPDATE"), new(keeping))
		if c.accepted {
			l.success = okTo(l.req, "")
		}
		call.RemoteCSeq = c.before
		l.count(call)
		if kept := d.kept(t); kept.RemoteCSeq != c.want || (kept.Version == 2) != c.written {
			t.Errorf("%s: %d is stored, written %t; want %d, %t", c.name, kept.RemoteCSeq, kept.Version == 2, c.want, c.written)
		}
	}
}

// RFC 3261 §14.2, RFC 3311 §5.2: a request that meets one of ours gets 491, one that meets
// another of the peer 500 with Retry-After, and neither has a turn nor an offer that counts.
func TestBegin(t *testing.T) {
	for _, c := range []struct {
		clash  dialogset.Clash
		status int // 0 for none
		wait   bool
	}{{dialogset.NoClash, 0, false}, {dialogset.WithOurs, 491, false}, {dialogset.WithTheirs, 500, true}} {
		d, tx := newDesk(t.Context()), new(keeping)
		d.keep(t, aCall())
		l := d.laterOf(t, fromPeer(t, "UPDATE", "ours", otherSDP), tx)
		mine := &updateTurn{dialog: l.dialog}
		began := l.begin(mine, c.clash)
		if began != (c.status == 0) || (l.turn == turn(mine)) != began || began == (len(tx.sent) > 0) {
			t.Errorf("clash %d: began %t, sent %v", c.clash, began, tx.statuses())
			continue
		}
		if !began && (tx.sent[0].StatusCode != c.status || (tx.sent[0].GetHeader("Retry-After") != nil) != c.wait) {
			t.Errorf("clash %d: sent\n%s", c.clash, tx.sent[0])
		}
		l.dialog.Said(offeranswer.Us, calls.Responded(l.req, okTo(l.req, oursSDP)), "")
		if agreed := string(l.dialog.Agreed().Peers.Body) == otherSDP; agreed != began {
			t.Errorf("clash %d: the offer counts: %t, want %t", c.clash, agreed, began)
		}
	}
}

// RFC 4028 §9: the application's 2xx to a request in a call gets the session timer, and once it
// has left, the session starts anew and what else it changes is stored. One that did not leave
// changes nothing, and one in a call that has ended is not marked.
func TestLaterAccepted(t *testing.T) {
	for _, c := range []struct {
		name      string
		method    string
		noTimer   bool // neither the call has one nor the peer asks
		fails     error
		gone      bool
		unwritten bool // the store fails
		marked    bool
		refreshed [2]uint64 // by UPDATE and INVITE
		written   bool
	}{
		{name: "a refresh", method: "UPDATE", marked: true, refreshed: [2]uint64{1, 0}, written: true},
		{name: "a re-INVITE", method: "INVITE", marked: true, refreshed: [2]uint64{0, 1}, written: true},
		{name: "without a timer", method: "UPDATE", noTimer: true, written: true},
		{name: "not sent", method: "UPDATE", fails: errors.New("of the test")},
		{name: "not stored", method: "UPDATE", unwritten: true, marked: true},
		{name: "the call has ended", method: "UPDATE", gone: true},
	} {
		d, call, tx := newDesk(t.Context()), aCall(), &keeping{fails: c.fails}
		asks := []string{"Session-Expires: 1800;refresher=uac", "Supported: timer", "Contact: <sip:peer@10.0.0.8:5060>", otherSDP}
		call.Session.Since = time.Now().Add(-time.Minute)
		if c.noTimer {
			call.Session, asks = sessiontimer.Session{}, asks[2:]
		}
		d.keep(t, call)
		l := d.laterOf(t, fromPeer(t, c.method, "ours", asks...), tx)
		takeTurn(t, l)
		if c.gone {
			_, _ = d.calls.Store.Delete(calls.Quietly, callID)
		}
		if c.unwritten {
			d.calls.Store = dialogstore.Observe(unwritable{d.calls.Store})
		}
		uncommitted := false
		l.ServerTransaction = &watched{func(*sip.Response) { uncommitted = l.dialog.Uncommitted() }, tx}
		res := okTo(l.req, oursSDP, "Contact: <sip:us@10.0.0.3:5060>")
		if err := l.Respond(res); !errors.Is(err, c.fails) || (l.sent() == nil) != (c.fails != nil) {
			t.Errorf("%s: %v, and the 2xx that counts is %v", c.name, err, l.sent())
		}
		if !uncommitted || l.dialog.Uncommitted() {
			t.Errorf("%s: uncommitted while it is sent: %t, after that: %t", c.name, uncommitted, l.dialog.Uncommitted())
		}
		if len(tx.sent) == 1 && (res.GetHeader("Session-Expires") != nil) != c.marked {
			t.Errorf("%s: sent\n%s", c.name, res)
		}
		if counted := d.calls.Figures.Read()[""].Refreshed[sessiontimer.Peer]; counted != c.refreshed || (len(d.events) == 1) != (c.marked && c.written) {
			t.Errorf("%s: counted %v, events %+v; want %v", c.name, counted, d.events, c.refreshed)
		}
		if clash := l.dialog.OpenUpdate(false); (clash == dialogset.NoClash) == (c.fails != nil) {
			t.Errorf("%s: the peer's next request: clash %d", c.name, clash)
		}
		if _, unconfirmed := l.dialog.Busy(); unconfirmed != (c.method == "INVITE") {
			t.Errorf("%s: an ACK is to come: %t", c.name, unconfirmed)
		}
		target, _, _ := l.dialog.Elsewhere(sip.NewRequest(sip.BYE, sip.Uri{}))
		if (target != nil) != c.written {
			t.Errorf("%s: the application's requests follow the peer: %t, want %t", c.name, target != nil, c.written)
		}
		if c.gone {
			continue
		}
		kept := d.kept(t)
		if written := kept.Version == 2; written != c.written || kept.Version > 2 {
			t.Errorf("%s: written %d times, want %t", c.name, kept.Version-1, c.written)
		}
		if c.written && (kept.RemoteCSeq != 2 || kept.LastMethod != c.method || string(kept.PeerSDP) != otherSDP || kept.Contact != "<sip:us@10.0.0.3:5060>" ||
			kept.RemoteTarget != "sip:peer@10.0.0.8:5060" || kept.Session.Since.Equal(call.Session.Since) == c.marked) {
			t.Errorf("%s: stored\n%+v", c.name, kept.State)
		}
	}
}

// unwritable is a store that changes nothing.
type unwritable struct{ dialogstore.Store }

func (u unwritable) Update(ctx context.Context, id dialogstore.ID, change func(dialogstore.Dialog) (dialogstore.State, error)) (before, after dialogstore.Dialog, err error) {
	before, err = u.Load(ctx, id)
	if err == nil {
		_, err = change(before)
	}
	return before, before, errors.Join(err, errors.New("of the test"))
}

// A 2xx of an application with timers of its own shows that it has them.
func TestLaterOwnTimers(t *testing.T) {
	for _, header := range []string{"X-Other: 90", "Session-Expires: 90"} {
		d := newDesk(t.Context())
		d.keep(t, aCall())
		l := d.laterOf(t, fromPeer(t, "UPDATE", "ours"), new(keeping))
		if err := l.Respond(okTo(l.req, "", header)); err != nil || d.calls.LeavesUpdate() != (header == "Session-Expires: 90") {
			t.Errorf("%s: %v, own timers: %t", header, err, d.calls.LeavesUpdate())
		}
	}
}

// RFC 3261 §14.2: the peer may send its next request as soon as it has our refusal, so its turn
// is over before the refusal leaves; ours waits until it has left. What it offered is withdrawn.
func TestLaterRefused(t *testing.T) {
	d, tx := newDesk(t.Context()), new(keeping)
	d.keep(t, aCall())
	l := d.laterOf(t, fromPeer(t, "INVITE", "ours", otherSDP), tx)
	takeTurn(t, l)
	if err := l.Respond(sip.NewResponseFromRequest(l.req, 180, "Ringing", nil)); err != nil || len(tx.sent) != 1 {
		t.Errorf("a provisional response: %v, sent %v", err, tx.statuses())
	}
	wantBusy(t, "after a provisional response", l.dialog, true, false)
	l.ServerTransaction = &watched{func(*sip.Response) {
		wantBusy(t, "while the refusal is sent", l.dialog, true, false)
		if clash := l.dialog.OpenUpdate(true); clash != dialogset.NoClash {
			t.Errorf("the peer's next request clashes: %v", clash)
		}
		l.dialog.CloseUpdate()
	}, tx}
	if err := l.Respond(sip.NewResponseFromRequest(l.req, 488, "Not Acceptable Here", nil)); err != nil {
		t.Error(err)
	}
	wantBusy(t, "after the refusal", l.dialog, false, false)
	if err := l.Respond(okTo(l.req, oursSDP)); !errors.Is(err, sip.ErrTransactionTerminated) || string(l.dialog.Agreed().Peers.Body) != theirsSDP {
		t.Errorf("a 2xx after the refusal: %v, and the peer's is %q; want what was before", err, l.dialog.Agreed().Peers.Body)
	}
	if kept := d.kept(t); kept.Version != 1 {
		t.Error("a refusal is stored")
	}
}

// What is refused, here or by the application, has offered nothing once the refusal leaves: the
// peer's next offer, which may come at once, is one. A request that was refused because another
// is in progress takes nothing back of that, whatever its number.
func TestLaterWithdraws(t *testing.T) {
	refusals := map[string]func(*laterRequest){
		"here":               func(l *laterRequest) { l.reject(488, "Not Acceptable Here") },
		"by the application": func(l *laterRequest) { _ = l.Respond(sip.NewResponseFromRequest(l.req, 486, "Busy Here", nil)) },
	}
	for who, refuse := range refusals {
		for _, method := range []string{"INVITE", "UPDATE"} {
			d, tx := newDesk(t.Context()), new(keeping)
			d.keep(t, aCall())
			l := d.laterOf(t, fromPeer(t, method, "ours", otherSDP), tx)
			takeTurn(t, l)
			d.laterOf(t, l.req, tx).begin(l.turn, dialogset.WithTheirs)
			if !l.dialog.Agreed().Equal(l.dialog.AgreedAfter(calls.Refused(l.req))) || string(l.dialog.AgreedAfter(calls.Responded(l.req, okTo(l.req, oursSDP))).Peers.Body) != otherSDP {
				t.Errorf("a %s beside another with its number takes back its offer", method)
			}
			next, agreed := fromPeer(t, "UPDATE", "ours", "CSeq: 3 UPDATE", theirsSDP+held), false
			l.ServerTransaction = &watched{func(*sip.Response) {
				if clash := l.dialog.OpenUpdate(true); clash != dialogset.NoClash {
					t.Errorf("a %s that is refused %s: the next offer clashes: %d", method, who, clash)
				}
				l.dialog.Said(offeranswer.Peer, calls.Requested(next), "")
				now, _ := l.dialog.Said(offeranswer.Us, calls.Responded(next, okTo(next, oursSDP)), "")
				agreed = string(now.Peers.Body) == theirsSDP+held
			}, tx}
			refuse(l)
			if l.close(); !agreed || string(l.dialog.Agreed().Peers.Body) != theirsSDP+held {
				t.Errorf("a %s that is refused %s: the next offer is agreed on: %t, and stays: %q", method, who, agreed, l.dialog.Agreed().Peers.Body)
			}
		}
	}
}

// RFC 3262 §5: what a reliable provisional response answers is agreed.
func TestLaterProgress(t *testing.T) {
	d := newDesk(t.Context())
	d.keep(t, aCall())
	l := d.laterOf(t, fromPeer(t, "INVITE", "ours", otherSDP), new(keeping))
	takeTurn(t, l)
	res := okTo(l.req, oursSDP, "RSeq: 1", "Require: 100rel")
	res.StatusCode = 183
	if err := l.Respond(res); err != nil || string(d.kept(t).PeerSDP) != otherSDP {
		t.Errorf("%v, and the peer's is %q; want its offer", err, d.kept(t).PeerSDP)
	}
}

// RFC 3261 §13.2.1: an offer in our 2xx stays open, for the ACK answers it. Neither a refusal
// that comes too late nor the handler's end takes it back.
func TestLaterOffers(t *testing.T) {
	d := newDesk(t.Context())
	d.keep(t, aCall())
	l := d.laterOf(t, fromPeer(t, "INVITE", "ours"), new(keeping))
	takeTurn(t, l)
	if err := l.Respond(okTo(l.req, oursSDP)); err != nil {
		t.Fatal(err)
	}
	_ = l.Respond(sip.NewResponseFromRequest(l.req, 486, "Busy Here", nil))
	l.close()
	if d.Ack(nil, fromPeer(t, "ACK", "ours", otherSDP), new(keeping)); string(d.kept(t).PeerSDP) != otherSDP {
		t.Errorf("the peer's is %q, want what its ACK says", d.kept(t).PeerSDP)
	}
}

// A request that the application has not answered when its handler returns is over. sipgo still
// sends a later 2xx to an INVITE, and its answer counts then; until then the offer does not.
func TestLaterLapsed(t *testing.T) {
	d, tx := newDesk(t.Context()), new(keeping)
	d.keep(t, aCall())
	l := d.laterOf(t, fromPeer(t, "INVITE", "ours", otherSDP), tx)
	takeTurn(t, l)
	l.close()
	wantBusy(t, "after the handler", l.dialog, false, false)
	if err := l.Respond(okTo(l.req, oursSDP)); err != nil || string(d.kept(t).PeerSDP) != otherSDP {
		t.Errorf("a 2xx after the handler: %v, and the peer's is %q", err, d.kept(t).PeerSDP)
	}
	l.close()
	if got := string(l.dialog.Agreed().Peers.Body); got != otherSDP {
		t.Errorf("the end of a request that was accepted leaves %q", got)
	}

	l = d.laterOf(t, fromPeer(t, "UPDATE", "ours", "CSeq: 3 UPDATE", theirsSDP), tx)
	takeTurn(t, l)
	l.close()
	l.dialog.Said(offeranswer.Us, calls.Responded(l.req, okTo(l.req, oursSDP)), "")
	if got := string(l.dialog.Agreed().Peers.Body); got != otherSDP {
		t.Errorf("the offer of a request that nobody answered is agreed on: %q", got)
	}
}

// A request that the application forwards as a proxy passes untouched, with its responses.
func TestLaterRelayed(t *testing.T) {
	d, tx := newDesk(t.Context()), new(keeping)
	d.keep(t, aCall())
	l := d.laterOf(t, fromPeer(t, "INVITE", "ours"), tx)
	d.calls.Relay(l.req)
	for _, res := range []*sip.Response{sip.NewResponseFromRequest(l.req, 180, "Ringing", nil), okTo(l.req, "")} {
		if err := l.Respond(res); err != nil || res.GetHeader("Allow") != nil || res.GetHeader("Supported") != nil || l.sent() != nil {
			t.Errorf("%v: sent\n%s", err, res)
		}
	}
	if len(tx.sent) != 2 {
		t.Errorf("sent %v, want both", tx.statuses())
	}
}

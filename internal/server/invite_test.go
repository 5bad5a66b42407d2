package server

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
)

// An INVITE outside dialogs is the application's. It passes untouched if its call has no timers
// or cannot be kept; one that requires timers which are off for all calls gets 420 (RFC 3261
// §8.2.2.3), and one that RFC 4028 §9 refuses never reaches the application.
func TestFirstInvite(t *testing.T) {
	off := func(c *calls.Config) { c.Policy.Mode = sessiontimer.Off }
	offForThis := func(c *calls.Config) {
		c.PolicyFunc = func(*sip.Request, bool, sessiontimer.Policy) sessiontimer.Policy { return sessiontimer.Policy{} }
	}
	for _, c := range []struct {
		name     string
		headers  []string
		routes   int
		options  func(*calls.Config)
		unable   bool // no handler
		given    bool
		followed bool // the timers see its responses
		status   int  // 0 for none
		logged   string
	}{
		{name: "with timers", headers: asking, given: true, followed: true},
		{name: "without", given: true, followed: true},
		{name: "no handler", unable: true},
		{name: "too small", headers: []string{"Session-Expires: 60", "Supported: timer"}, status: 422, logged: "422"},
		{name: "malformed", headers: []string{"Session-Expires: soon"}, given: true, followed: true, logged: "malformed"},
		{name: "off for all", options: off, given: true},
		{name: "off for all, and it requires timers", headers: []string{"Require: timer"}, options: off, status: 420},
		{name: "off for this, and it requires timers", headers: []string{"Require: timer"}, options: offForThis, given: true},
		{name: "off by choice for all calls", headers: []string{"Require: timer"}, options: func(c *calls.Config) { off(c); offForThis(c) }, status: 420},
		{name: "off for all but this", headers: []string{"Require: timer"}, options: func(c *calls.Config) {
			off(c)
			c.PolicyFunc = func(*sip.Request, bool, sessiontimer.Policy) sessiontimer.Policy { return sessiontimer.DefaultPolicy() }
		}, given: true, followed: true},
		{name: "no tag of the peer", headers: []string{"From: <sip:peer@example.com>"}, given: true},
		{name: "no CSeq", headers: []string{"-CSeq"}, given: true},
		{name: "no Contact", headers: []string{"-Contact"}, given: true},
		{name: "a Contact that names nobody", headers: []string{"Contact: *"}, given: true},
		{name: "more routes than a request can pass", routes: 71, given: true, logged: "no session timer for the call"},
	} {
		var options []func(*calls.Config)
		if c.options != nil {
			options = append(options, c.options)
		}
		d, tx := newDesk(t.Context(), options...), new(keeping)
		var got sip.ServerTransaction
		next := sipgo.RequestHandler(func(_ *sip.Request, tx sip.ServerTransaction) { got = tx })
		if c.unable {
			next = nil
		}
		req := fromPeer(t, "INVITE", "", c.headers...)
		for range c.routes {
			req.AppendHeader(sip.NewHeader("Record-Route", "<sip:10.0.0.7;lr>"))
		}
		d.Invite(next, req, tx)
		_, follows := got.(*firstTx)
		if (got != nil) != c.given || follows != c.followed || !follows && got != nil && got != sip.ServerTransaction(tx) {
			t.Errorf("%s: given with %T, want it given: %t, followed: %t", c.name, got, c.given, c.followed)
		}
		if c.status == 0 && len(tx.sent) != 0 || c.status != 0 && (len(tx.sent) != 1 || tx.sent[0].StatusCode != c.status) {
			t.Errorf("%s: sent %v, want %d", c.name, tx.statuses(), c.status)
		} else if h := "Unsupported"; c.status == 420 && tx.sent[0].GetHeader(h).Value() != "timer" {
			t.Errorf("%s: %v", c.name, tx.sent[0].GetHeader(h))
		}
		if lines := d.logs.Lines(c.logged); c.logged == "" && d.logs.String() != "" || c.logged != "" &&
			(len(lines) != 1 || !strings.Contains(lines[0], `call_id=call local_tag="" remote_tag=theirs`)) {
			t.Errorf("%s: logged %q, want one line %q", c.name, d.logs, c.logged)
		}
	}
}

// An INVITE whose handler says no more than that it rings leaves nothing.
func TestFirstInviteEnds(t *testing.T) {
	d := newDesk(t.Context())
	d.Invite(func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(answering(tx.(*firstTx).invite, 180, "ours"))
		if d.calls.Sets.Len() != 1 {
			t.Error("it does not ring")
		}
	}, fromPeer(t, "INVITE", ""), new(keeping))
	if d.calls.Sets.Len() != 0 {
		t.Errorf("%d sets are left", d.calls.Sets.Len())
	}
}

// Who answers a re-INVITE (RFC 3261 §14.2): the timers if it changes nothing, unless the
// application answers re-INVITEs, and where the application has no dialog. The ACK comes a
// second after each 2xx.
func TestReInvite(t *testing.T) {
	onHold := func(d *dialogstore.Dialog) { d.PeerSDP = []byte(theirsSDP + held) }
	answers := func(d *desk) { d.calls.SetApplication(calls.Application{ReInvites: true}) }
	noOffers := func(d *desk) {
		d.calls.SetApplication(calls.Application{ReInvites: true, LateOffer: func(dialogstore.Dialog) bool { return false }})
	}
	orphan := func(d *desk) { d.calls.Expect(callID, "a", false) }
	for _, c := range []struct {
		name    string
		headers []string
		setUp   func(*desk)
		call    func(*dialogstore.Dialog)
		meets   func(*desk) // what it meets in the call
		ours    string      // our tag; "ours" if empty
		given   bool
		status  int // 0 for none
		header  string
		counted bool
	}{
		{name: "it changes nothing", headers: []string{theirsSDP}, status: 200, header: "Contact", counted: true},
		{name: "the application answers re-INVITEs", headers: []string{theirsSDP}, setUp: answers, given: true, counted: true},
		{name: "it changes the media", headers: []string{otherSDP}, given: true, counted: true},
		{name: "no description", status: 200, header: "Content-Type", counted: true},
		{name: "no description, on hold", call: onHold, given: true, counted: true},
		{name: "no description, and the application answers re-INVITEs", setUp: answers, given: true, counted: true},
		{name: "no description, and it makes no offers", setUp: noOffers, call: onHold, status: 200, counted: true},
		{name: "the same with a description", headers: []string{theirsSDP + held}, setUp: noOffers, call: onHold, given: true, counted: true},
		{name: "the application has no dialog", headers: []string{theirsSDP}, setUp: orphan, status: 200, counted: true},
		{name: "the same, and the application answers re-INVITEs", headers: []string{theirsSDP}, setUp: func(d *desk) { orphan(d); answers(d) }, status: 200, counted: true},
		{name: "the same on hold", setUp: orphan, call: onHold, status: 200, counted: true},
		{name: "the same, and it changes the media", headers: []string{otherSDP}, setUp: orphan, status: 488, counted: true},
		{name: "it requires what is not known", headers: []string{"Require: x-a", theirsSDP}, status: 420, header: "Unsupported", counted: true},
		{name: "the same with other media", headers: []string{"Require: x-a", otherSDP}, given: true, counted: true},
		{name: "too small", headers: []string{"Session-Expires: 60", "Supported: timer", otherSDP}, status: 422, header: "Min-SE", counted: true},
		{name: "handed over", setUp: func(d *desk) { d.calls.HandedOver = func() bool { return true } }, status: 500, header: "Retry-After"},
		{name: "out of order", headers: []string{"CSeq: 0 INVITE"}, status: 500},
		{name: "beside another", meets: func(d *desk) { _, _ = d.flight().OpenInvite(2) }, status: 500, header: "Retry-After", counted: true},
		{name: "beside one of ours", meets: func(d *desk) { _ = d.flight().BeginOwn(context.Background(), func() {}, true) }, status: 491, counted: true},
		{name: "of nobody", ours: "others", given: true},
		{name: "of another node", ours: "others", setUp: func(d *desk) {
			d.calls.Elsewhere = func(context.Context, dialogstore.ID) (bool, bool) { return true, true }
		}, status: 500, header: "Retry-After"},
	} {
		bubble.Test(t, func(t *testing.T) {
			d, tx, call, given := newDesk(t.Context()), new(keeping), aCall(), false
			if c.setUp != nil {
				c.setUp(d)
			}
			if c.call != nil {
				c.call(&call)
			}
			d.resumed(t, call)
			if c.meets != nil {
				c.meets(d)
			}
			ours := c.ours
			if ours == "" {
				ours = "ours"
			}
			time.AfterFunc(time.Second, func() {
				d.Ack(func(*sip.Request, sip.ServerTransaction) {
					if c.status == 200 {
						t.Errorf("%s: the application gets the ACK of what it has not seen", c.name)
					}
				}, fromPeer(t, "ACK", "ours"), new(keeping))
			})
			d.Invite(func(*sip.Request, sip.ServerTransaction) { given = true }, fromPeer(t, "INVITE", ours, c.headers...), tx)
			if given != c.given || (c.status == 0) != (len(tx.sent) == 0) {
				t.Errorf("%s: given %t, sent %v; want %t, %d", c.name, given, tx.statuses(), c.given, c.status)
				return
			}
			if c.status != 0 && (tx.sent[0].StatusCode != c.status || c.header != "" && tx.sent[0].GetHeader(c.header) == nil) {
				t.Errorf("%s: sent\n%s\nwant %d with %s", c.name, tx.sent[0], c.status, c.header)
			}
			if kept := d.kept(t); (kept.RemoteCSeq == 2) != c.counted || len(d.hungUp) != 0 {
				t.Errorf("%s: the CSeq %d is stored, want its own: %t; hung up for %v", c.name, kept.RemoteCSeq, c.counted, d.hungUp)
			}
			if busy, _ := d.flight().Busy(); busy != (c.name == "beside another") {
				t.Errorf("%s: it is still in progress: %t", c.name, busy)
			}
			synctest.Wait()
		})
	}
}

// RFC 3261 §14.2: a re-INVITE waits for the ACK of the one before it, which it may overtake.
func TestReInviteAwaitsAck(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t.Context())
		_, dialog := d.resumed(t, aCall())
		offered(t, dialog, time.Now(), false)
		time.AfterFunc(time.Second, func() { d.Ack(nil, fromPeer(t, "ACK", "ours"), new(keeping)) })
		begun, waited := time.Now(), time.Duration(-1)
		d.Invite(func(*sip.Request, sip.ServerTransaction) { waited = time.Since(begun) }, fromPeer(t, "INVITE", "ours", "CSeq: 3 INVITE", otherSDP), new(keeping))
		if waited != time.Second {
			t.Errorf("it waits %v, want 1 s", waited)
		}
	})
}

// RFC 3261 §13.3.1.4, §14.2: a 2xx is sent again after T1, then after twice as long each time, up
// to T2, until its ACK comes. If none has come after 64*T1, the timers hang up if they answered;
// else that is the application's decision.
func TestResendUntilAck(t *testing.T) {
	const never = time.Hour
	var all []time.Duration
	for at, wait := time.Duration(0), sip.T1; at < 64*sip.T1; at, wait = at+wait, min(2*wait, sip.T2) {
		all = append(all, at)
	}
	for _, c := range []struct {
		name               string
		acked, ends, close time.Duration
		here               bool
		sent               []time.Duration
		returns            time.Duration
		hangsUp            bool
	}{
		{name: "acknowledged", acked: 2 * time.Second, ends: never, close: never, here: true, sent: all[:3], returns: 2 * time.Second},
		{name: "not acknowledged", acked: never, ends: never, close: never, here: true, sent: all, returns: 64 * sip.T1, hangsUp: true},
		{name: "not acknowledged, of the application", acked: never, ends: never, close: never, sent: all, returns: 64 * sip.T1},
		{name: "the call ends", acked: never, ends: 2 * time.Second, close: never, here: true, sent: all[:4], returns: all[3]},
		{name: "the timers end", acked: never, ends: never, close: 2 * time.Second, here: true, sent: all[:3], returns: 2 * time.Second},
	} {
		bubble.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			d, tx, begun := newDesk(ctx), new(keeping), time.Now()
			set, _ := d.resumed(t, aCall())
			var at []time.Duration
			later := func(after time.Duration, do func()) {
				if after != never {
					time.AfterFunc(after, do)
				}
			}
			later(c.acked, func() { d.Ack(nil, fromPeer(t, "ACK", "ours"), new(keeping)) })
			later(c.ends, func() { set.End("theirs", false, sessiontimer.Reason{Cause: sessiontimer.CausePeerHungUp}) })
			later(c.close, cancel)
			body := map[bool]string{true: theirsSDP, false: otherSDP}[c.here]
			d.Invite(func(req *sip.Request, tx sip.ServerTransaction) { _ = tx.Respond(okTo(req, oursSDP)) }, fromPeer(t, "INVITE", "ours", body),
				&watched{func(*sip.Response) { at = append(at, time.Since(begun)) }, tx})
			if !slices.Equal(at, c.sent) || time.Since(begun) != c.returns {
				t.Errorf("%s: sent at %v, over at %v; want %v, %v", c.name, at, time.Since(begun), c.sent, c.returns)
			}
			if hungUp := len(d.hungUp) == 1 && d.hungUp[0].Cause == sessiontimer.CauseNoACK; hungUp != c.hangsUp || len(d.hungUp) > 1 {
				t.Errorf("%s: hung up for %v, want that: %t", c.name, d.hungUp, c.hangsUp)
			}
			synctest.Wait()
		})
	}
}

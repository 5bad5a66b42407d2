package dialogset

import (
	"context"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// RFC 3261 §12.1: a 2xx confirms a dialog, and from then on the store has what the peer was
// told. One that comes late does not revive a dialog that has ended.
func TestAccepted(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after state
	}{
		{"our INVITE", trying, confirmed},
		{"an early dialog", early, confirmed},
		{"once more", confirmed, confirmed},
		{"after the end", terminated, terminated},
	} {
		d := &Dialog{state: c.before}
		d.Tell(Told{Extensions: "replaces"})
		if d.Accepted(); !d.is(c.after) || d.lastTold() != (Told{}) {
			t.Errorf("%s: state %d, told %+v; want %d and nothing", c.name, d.state, d.lastTold(), c.after)
		}
	}
}

// A dialog ends once. The first end says why, cancels our refresh, and stops the timer that
// would forget the dialog.
func TestDialogEndsOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var d Dialog
		cancelled, forgotten := 0, false
		if err := d.BeginOwn(context.Background(), func() { cancelled++ }, false); err != nil {
			t.Fatal(err)
		}
		d.ExpectAck(1, time.Now(), time.AfterFunc(64*sip.T1, func() { forgotten = true }))
		expired := sessiontimer.Reason{Cause: sessiontimer.CauseExpired}
		if d.EndedByUs() || d.EndedFor() != (sessiontimer.Reason{}) {
			t.Error("it has ended before")
		}
		if !d.end(true, expired) || !d.is(terminated) || d.Unproved() {
			t.Errorf("the first end: state %d, unproved: %t", d.state, d.Unproved())
		}
		if d.end(false, sessiontimer.Reason{Cause: sessiontimer.CauseHungUp}) {
			t.Error("it ends twice")
		}
		if !d.EndedByUs() || d.EndedFor() != expired || cancelled != 1 {
			t.Errorf("ended by us: %t, for %v; our refresh was cancelled %d times; want the first end to count", d.EndedByUs(), d.EndedFor(), cancelled)
		}
		if time.Sleep(time.Minute); forgotten {
			t.Error("the dialog is forgotten as if it had not ended")
		}
	})
}

// Whoever has begun a call with a client of its own has its requests sent by that.
func TestSentBy(t *testing.T) {
	var d Dialog
	if d.SentBy() != nil {
		t.Error("a new dialog has a client")
	}
	client := new(sipgo.Client)
	if d.SendBy(client); d.SentBy() != client {
		t.Error("another client sends")
	}
}

// RFC 4028 §7.4: our refreshes repeat what we support and require.
func TestToldBy(t *testing.T) {
	contact := &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", Host: "10.0.0.1"}}
	for _, c := range []struct {
		name   string
		fields []sip.Header
		want   Told
	}{
		{"nothing", nil, Told{nil, ","}},
		{"a Contact", []sip.Header{contact}, Told{contact, ","}},
		{"Supported", []sip.Header{sip.NewHeader("Supported", "replaces, timer")}, Told{nil, "replaces,"}},
		{"Supported in its short form", []sip.Header{sip.NewHeader("k", "replaces")}, Told{nil, "replaces,"}},
		{"Require", []sip.Header{sip.NewHeader("Require", "timer, answermode")}, Told{nil, ",answermode"}},
		{"all", []sip.Header{contact, sip.NewHeader("Require", "a"), sip.NewHeader("Supported", "b")}, Told{contact, "b,a"}},
	} {
		req := sip.NewRequest(sip.INVITE, sip.Uri{})
		for _, h := range c.fields {
			req.AppendHeader(h)
		}
		if got := ToldBy(req); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// RFC 3261 §12.2.2: a request is old if one with a higher CSeq came before, to this process
// or to the one that stored the dialog.
func TestOlder(t *testing.T) {
	var d Dialog
	for _, c := range []struct {
		cseq, stored uint32
		older        bool
		last         uint32
	}{
		{7, 0, false, 7}, {7, 0, false, 7}, {6, 0, true, 7}, {9, 8, false, 9}, {10, 12, true, 12}, {12, 0, false, 12}, {12, 13, true, 13},
	} {
		if older := d.Older(c.cseq, c.stored); older != c.older || d.LastOf(0) != c.last {
			t.Errorf("CSeq %d, %d in the store: old: %t, and the last one is %d; want %t and %d", c.cseq, c.stored, older, d.LastOf(0), c.older, c.last)
		}
	}
	if got := d.LastOf(20); got != 20 {
		t.Errorf("with CSeq 20 in the store the last one is %d", got)
	}
}

// A dialog is needed while it is alive, or while a request may make one.
func TestDialogNeeded(t *testing.T) {
	for s, want := range map[state]bool{trying: false, early: true, confirmed: true, terminated: false} {
		d := &Dialog{state: s}
		if got := d.needed(); got != want {
			t.Errorf("state %d: needed: %t, want %t", s, got, want)
		}
		if d.Offering(anOffer("x")); !d.needed() {
			t.Errorf("state %d: not needed with an offer in flight", s)
		}
	}
}

// A dialog is idle, and made anew from the store when it is needed, if the store has all of
// it. What is in flight and what only this process knows keep it.
func TestDialogIdle(t *testing.T) {
	ctx, now := context.Background(), time.Now()
	unproved := func(d *Dialog) {
		d.ExpectAck(1, now.Add(-64*sip.T1), time.AfterFunc(time.Hour, func() {})) // the INVITE itself is over
	}
	var invite *PeerInvite
	for _, c := range []struct {
		name        string
		begin, over func(*Dialog) // over is nil for what stays
	}{
		{"a request of the application", func(d *Dialog) { d.Begin(ctx, sip.INFO) }, func(d *Dialog) { d.Finish(sip.INFO) }},
		{"its offer", func(d *Dialog) { d.Offering(anOffer("x")) }, func(d *Dialog) { d.Offered(anOffer("x")) }},
		{"our refresh", func(d *Dialog) { _ = d.BeginOwn(ctx, func() {}, false) }, (*Dialog).FinishOwn},
		{"the peer's UPDATE", func(d *Dialog) { d.OpenUpdate(false) }, (*Dialog).CloseUpdate},
		{"the peer's INVITE", func(d *Dialog) { invite, _ = d.OpenInvite(2) }, func(d *Dialog) { d.CloseInvite(invite) }},
		{"a message being sent", (*Dialog).HandOver, (*Dialog).HandedOver},
		{"a peer that has proved nothing", unproved, func(d *Dialog) { d.Proved() }},
		{"a peer that has moved", func(d *Dialog) {
			d.Moved(Whereabouts{}, &sip.Uri{Host: "10.0.0.8"}, "sip:10.0.0.8", "", func() string { return "" })
		}, nil},
		{"a client of its own", func(d *Dialog) { d.SendBy(new(sipgo.Client)) }, nil},
		{"a CSeq unlike the application's", func(d *Dialog) { d.Count.GoOnAfter(40); d.Count.Number(1, true) }, nil},
	} {
		d := &Dialog{state: confirmed}
		if !d.idle() {
			t.Fatal("a confirmed dialog is not idle")
		}
		if c.begin(d); d.idle() {
			t.Errorf("%s: the dialog is idle", c.name)
		}
		if c.over != nil {
			if c.over(d); !d.idle() {
				t.Errorf("%s, now over: the dialog is not idle", c.name)
			}
		}
	}
	for s, want := range map[state]bool{trying: false, early: false, terminated: true} {
		d := &Dialog{state: s, client: new(sipgo.Client)}
		if got := d.idle(); got != want {
			t.Errorf("state %d: idle: %t, want %t", s, got, want)
		}
	}
}

package dialogset

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// reInvited is a dialog with an INVITE of the peer, CSeq 1.
func reInvited(t *testing.T) (*Dialog, *PeerInvite) {
	t.Helper()
	var d Dialog
	invite, c := d.OpenInvite(1)
	if c != NoClash {
		t.Fatal("an INVITE clashes with nothing")
	}
	return &d, invite
}

// RFC 3261 §14.2, RFC 3311 §5.2: an offer of the peer while ours is open is glare; while the
// peer's own is open it must wait. There is one UPDATE at a time, with or without an offer.
// What clashes has not begun.
func TestClashes(t *testing.T) {
	ctx, now := context.Background(), time.Now()
	invited := func(then func(*Dialog, *PeerInvite)) func(*Dialog) {
		return func(d *Dialog) {
			invite, _ := d.OpenInvite(1)
			then(d, invite)
		}
	}
	for _, c := range []struct {
		name                  string
		begin                 func(*Dialog)
		update, offer, invite Clash
	}{
		{"nothing", func(*Dialog) {}, NoClash, NoClash, NoClash},
		{"our UPDATE", func(d *Dialog) { _ = d.BeginOwn(ctx, func() {}, false) }, NoClash, NoClash, NoClash},
		{"our re-INVITE", func(d *Dialog) { _ = d.BeginOwn(ctx, func() {}, true) }, NoClash, WithOurs, WithOurs},
		{"our re-INVITE, over", func(d *Dialog) { _ = d.BeginOwn(ctx, func() {}, true); d.FinishOwn() }, NoClash, NoClash, NoClash},
		{"the application's offer", func(d *Dialog) { d.Offering(anOffer("x")) }, NoClash, WithOurs, WithOurs},
		{"the application's INFO", func(d *Dialog) { d.Begin(ctx, sip.INFO) }, NoClash, NoClash, NoClash},
		{"an UPDATE", func(d *Dialog) { d.OpenUpdate(false) }, WithTheirs, WithTheirs, NoClash},
		{"an UPDATE, over", func(d *Dialog) { d.OpenUpdate(true); d.CloseUpdate() }, NoClash, NoClash, NoClash},
		{"an UPDATE and our offer", func(d *Dialog) { d.OpenUpdate(false); d.Offering(anOffer("x")) }, WithTheirs, WithOurs, WithOurs},
		{"an INVITE", invited(func(*Dialog, *PeerInvite) {}), NoClash, WithTheirs, WithTheirs},
		{"an INVITE being refused", invited((*Dialog).Refusing), NoClash, NoClash, NoClash},
		{"an INVITE, refused", invited((*Dialog).CloseInvite), NoClash, NoClash, NoClash},
		{"an INVITE with its 2xx", invited(func(d *Dialog, p *PeerInvite) { d.Answered(p, now) }), NoClash, NoClash, NoClash},
		{"the first INVITE with its 2xx", func(d *Dialog) { d.ExpectAck(1, now, time.AfterFunc(time.Hour, func() {})) }, NoClash, NoClash, NoClash},
	} {
		begun := func() *Dialog {
			d := new(Dialog)
			c.begin(d)
			return d
		}
		for offer, want := range map[bool]Clash{false: c.update, true: c.offer} {
			d := begun()
			before := d.updating
			if got := d.OpenUpdate(offer); got != want || d.updating != (before || want == NoClash) {
				t.Errorf("%s: an UPDATE with an offer: %t: %d, in progress: %t; want %d", c.name, offer, got, d.updating, want)
			}
		}
		d := begun()
		before := d.peer
		p, got := d.OpenInvite(2)
		if got != c.invite || (p != nil) != (got == NoClash) {
			t.Errorf("%s: an INVITE: %v, %d; want %d", c.name, p, got, c.invite)
		}
		if want := before; got != NoClash && d.peer != want || got == NoClash && d.peer != p {
			t.Errorf("%s: after an INVITE another one is in progress", c.name)
		}
	}
}

// A peer that sends another INVITE has received our 2xx to the one before.
func TestNextInviteConfirms(t *testing.T) {
	d, invite := reInvited(t)
	if d.Answered(invite, time.Now()); closed(invite.Acked()) {
		t.Fatal("acknowledged already")
	}
	next, _ := d.OpenInvite(2)
	if !closed(invite.Acked()) || closed(next.Acked()) {
		t.Errorf("acknowledged: %t, and the next one: %t; want the first only", closed(invite.Acked()), closed(next.Acked()))
	}
}

// Our own re-INVITE waits for the end of the peer's: its ACK, or that it is closed without a
// 2xx. One that is about to be refused is not closed yet, and a 2xx cannot be taken back.
func TestOwnAfterPeers(t *testing.T) {
	now := time.Now
	for _, c := range []struct {
		name  string
		after func(*Dialog, *PeerInvite) // a second
		free  bool
	}{
		{"acknowledged", func(d *Dialog, p *PeerInvite) { d.Answered(p, now()); d.Acked(1) }, true},
		{"closed", (*Dialog).CloseInvite, true},
		{"refused and closed", func(d *Dialog, p *PeerInvite) { d.Refusing(p); d.CloseInvite(p) }, true},
		{"about to be refused", (*Dialog).Refusing, false},
		{"accepted", func(d *Dialog, p *PeerInvite) { d.Answered(p, now()) }, false},
		{"accepted and closed", func(d *Dialog, p *PeerInvite) { d.Answered(p, now()); d.CloseInvite(p) }, false},
		{"another one closed", func(d *Dialog, _ *PeerInvite) { d.CloseInvite(&PeerInvite{cseq: 1}) }, false},
		{"acknowledged before its 2xx", func(d *Dialog, _ *PeerInvite) { d.Acked(1) }, false},
		{"another one acknowledged", func(d *Dialog, p *PeerInvite) { d.Answered(p, now()); d.Acked(2) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				d, invite := reInvited(t)
				time.AfterFunc(time.Second, func() { c.after(d, invite) })
				begun, want := time.Now(), sip.T2
				if c.free {
					want = time.Second
				}
				err := d.BeginOwn(t.Context(), func() {}, true)
				if waited := time.Since(begun); waited != want || (err == nil) != c.free {
					t.Errorf("%v after %v, want free: %t after %v", err, waited, c.free, want)
				}
			})
		})
	}
}

// Refusing what was accepted changes nothing: a peer that sends more before its ACK is early.
func TestRefusingAccepted(t *testing.T) {
	d, invite := reInvited(t)
	d.Answered(invite, time.Now())
	if d.Refusing(invite); invite.refused {
		t.Error("an INVITE is both accepted and refused")
	}
}

// An ACK counts once, and only for the CSeq of an INVITE with a 2xx (RFC 3261 §13.2.2.4). If
// the 2xx was made here, the application sees neither the ACK nor a retransmission.
func TestAcked(t *testing.T) {
	sent := time.Now()
	for _, local := range []bool{false, true} {
		d, invite := reInvited(t)
		if local {
			d.AnswerHere(invite)
		}
		ack := func(what string, cseq uint32, wantAt time.Time, wantLocal bool) {
			t.Helper()
			if at, got := d.Acked(cseq); !at.Equal(wantAt) || got != wantLocal {
				t.Errorf("answered here: %t: %s: of the 2xx at %v, for us: %t; want %v and %t", local, what, at, got, wantAt, wantLocal)
			}
		}
		ack("before the 2xx", 1, time.Time{}, false)
		d.Answered(invite, sent)
		ack("of another INVITE", 2, time.Time{}, false)
		if closed(invite.Acked()) {
			t.Error("it is acknowledged too early")
		}
		ack("of this one", 1, sent, local)
		if !closed(invite.Acked()) {
			t.Error("it is not acknowledged")
		}
		ack("sent again", 1, time.Time{}, local)
	}
}

// The first INVITE waits for its ACK like others, and its peer has proved nothing yet.
func TestExpectAck(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var d Dialog
		now := time.Now()
		d.ExpectAck(5, now, time.AfterFunc(64*sip.T1, func() {}))
		if busy, unconfirmed := d.Busy(); !busy || !unconfirmed || !d.Unproved() || !d.due.Equal(now.Add(32*time.Second)) {
			t.Errorf("busy: %t, unconfirmed: %t, unproved: %t, due %v; want it to be expected for 32 s", busy, unconfirmed, d.Unproved(), d.due.Sub(now))
		}
		if at, local := d.Acked(5); !at.Equal(now) || local {
			t.Errorf("its ACK is of a 2xx at %v, for us: %t", at, local)
		}
		if busy, _ := d.Busy(); busy || !d.Unproved() {
			t.Errorf("after its ACK it is busy: %t; that an ACK is a proof is for others to say: %t", busy, d.Unproved())
		}
		d.Proved()
	})
}

// The ACKs of the last eight INVITEs answered here may be sent again; a CSeq takes one place.
func TestLocalAcksKept(t *testing.T) {
	var d Dialog
	invite := func(cseq uint32) {
		p, _ := d.OpenInvite(cseq)
		d.AnswerHere(p)
		d.Answered(p, time.Now())
		d.Acked(cseq)
	}
	for cseq := range uint32(10) {
		invite(cseq)
	}
	invite(9)
	if want := []uint32{2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(d.localAcks, want) {
		t.Errorf("kept are %v, want %v", d.localAcks, want)
	}
}

// Requests in progress may refresh the session; a 2xx without its ACK does for 64*T1.
func TestBusy(t *testing.T) {
	ctx := context.Background()
	answered := func(ago time.Duration) func(*Dialog) {
		return func(d *Dialog) {
			p, _ := d.OpenInvite(1)
			d.Answered(p, time.Now().Add(-ago))
		}
	}
	for _, c := range []struct {
		name              string
		begin             func(*Dialog)
		busy, unconfirmed bool
	}{
		{"nothing", func(*Dialog) {}, false, false},
		{"our refresh, which asks itself", func(d *Dialog) { _ = d.BeginOwn(ctx, func() {}, true) }, false, false},
		{"the application's INFO", func(d *Dialog) { d.Begin(ctx, sip.INFO) }, false, false},
		{"the application's offer", func(d *Dialog) { d.Offering(anOffer("x")) }, true, false},
		{"an UPDATE", func(d *Dialog) { d.OpenUpdate(false) }, true, false},
		{"an INVITE", func(d *Dialog) { d.OpenInvite(1) }, true, false},
		{"an INVITE being refused", func(d *Dialog) { p, _ := d.OpenInvite(1); d.Refusing(p) }, true, false},
		{"a 2xx", answered(0), true, true},
		{"a 2xx and an UPDATE", func(d *Dialog) { answered(0)(d); d.OpenUpdate(false) }, true, true},
		{"a 2xx 32 s ago", answered(64 * sip.T1), false, false},
		{"a 2xx not quite 32 s ago", answered(64*sip.T1 - 1), true, true},
		{"an old 2xx and an UPDATE", func(d *Dialog) { answered(64 * sip.T1)(d); d.OpenUpdate(false) }, true, false},
	} {
		bubble.Test(t, func(t *testing.T) {
			var d Dialog
			c.begin(&d)
			if busy, unconfirmed := d.Busy(); busy != c.busy || unconfirmed != c.unconfirmed {
				t.Errorf("%s: busy: %t, unconfirmed: %t; want %t and %t", c.name, busy, unconfirmed, c.busy, c.unconfirmed)
			}
		})
	}
}

package dialogset

import (
	"context"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// The bounds that other tests set on a set count all that it keeps.
func TestRemembered(t *testing.T) {
	set := New().Open("call", "ours")
	d := set.Ring("theirs", 1, Told{})
	begun := set.Remembered()
	if begun != 1 {
		t.Errorf("a set with one dialog keeps %d items, want 1", begun)
	}
	for _, c := range []struct {
		name string
		keep func()
	}{
		{"an offer", func() { d.Offering(anOffer("re-INVITE")) }},
		{"an INVITE sent", func() { d.Count.sent = append(d.Count.sent, sentInvite{}) }},
		{"an INVITE answered here", func() { d.localAcks = append(d.localAcks, 1) }},
		{"a fork", func() { set.forks = append(set.forks, fork{}) }},
		{"a dialog", func() { set.Ring("other", 1, Told{}) }},
		{"an offer of the first INVITE", func() { set.called().Offering(anOffer("INVITE")) }},
	} {
		before := set.Remembered()
		if c.keep(); set.Remembered() != before+1 {
			t.Errorf("with %s a set keeps %d items, want %d", c.name, set.Remembered(), before+1)
		}
	}
}

// An offer is found by its branch, in whichever dialog it is, until it is over.
func TestOfferByBranch(t *testing.T) {
	set := New().Open("call", "ours")
	calling := set.Invite(sessiontimer.Policy{Mode: sessiontimer.Always})
	within := set.Ring("theirs", 1, Told{})
	calling.Offering(anOffer("first"))
	within.Offering(anOffer("later"))
	for _, branch := range []string{"first", "later"} {
		if got := set.Offer(branch); got != anOffer(branch) {
			t.Errorf("%s: %v", branch, got)
		}
	}
	if got := set.Offer("other"); got != nil {
		t.Errorf("another branch: %v", got)
	}
	calling.Offered(anOffer("first"))
	within.Offered(anOffer("other")) // of another
	if set.Offer("first") != nil || set.Offer("later") == nil {
		t.Errorf("after the first is over: %v and %v are in flight", set.Offer("first"), set.Offer("later"))
	}
}

// A dialog that is there already is not added once more.
func TestRingTwice(t *testing.T) {
	set := New().Open("call", "ours")
	one := set.Ring("theirs", 1, Told{})
	if set.Ring("theirs", 2, Told{}) != one || set.Ring("other", 2, Told{}) == one {
		t.Error("the early dialog of an INVITE is another one the second time, or that of another INVITE")
	}
	var d dialogstore.Dialog
	d.RemoteTag = "theirs"
	if set.resume(&d) != one {
		t.Error("a dialog in the set is resumed as another")
	}
}

// The dialogs of a set share its Call-ID and local tag.
func TestSetID(t *testing.T) {
	want := dialogstore.ID{CallID: "call", LocalTag: "ours", RemoteTag: "theirs"}
	if got := New().Open("call", "ours").ID("theirs"); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The early dialog of the peer's INVITE counts on from the CSeq of that, as sipgo's does; a
// stored one is confirmed, and counts on from what is stored.
func TestJoined(t *testing.T) {
	set := New().Open("call", "ours")
	what := Told{Extensions: "replaces"}
	rung := set.Ring("early", 7, what)
	if got, ok := set.Early("early"); got != what || !ok || rung.Count.LastCSeq() != 7 {
		t.Errorf("rung: told %+v, early: %t, last CSeq %d; want what it was told, early, 7", got, ok, rung.Count.LastCSeq())
	}
	var stored dialogstore.Dialog
	stored.RemoteTag, stored.LocalCSeq = "stored", 9
	if d := set.resume(&stored); !set.Lives("stored") || d.Count.LastCSeq() != 9 || set.Dialog("stored") != d {
		t.Errorf("resumed: alive: %t, last CSeq %d; want alive, 9", set.Lives("stored"), d.Count.LastCSeq())
	}
}

// RFC 3261 §13.2.2.4: each 2xx to our INVITE makes a dialog. The first continues as the
// INVITE, and with it ends what a 422 has taught (RFC 4028 §7.4). Others begin with the CSeq
// of the INVITE, and then all count on their own (RFC 3261 §12.2.1.1).
func TestAccept(t *testing.T) {
	set, policy := New().Open("call", "ours"), sessiontimer.DefaultPolicy()
	if set.Invited() != (sessiontimer.Policy{}) {
		t.Error("a policy before any INVITE")
	}
	invite := set.Invite(policy)
	invite.Count.GoOnAfter(4)
	invite.Count.Number(1, true) // 5 on the wire
	set.Learn(100 * time.Second)
	set.Learn(90 * time.Second)
	if set.Learned() != 100*time.Second || set.Invited() != policy {
		t.Errorf("learned %v with %+v, want the highest, 100 s, with the policy of the INVITE", set.Learned(), set.Invited())
	}
	first := set.Accept("first")
	if first != invite || !set.Lives("first") || set.Learned() != 0 || set.Invited() != policy {
		t.Errorf("the first is the INVITE: %t, alive: %t; learned: %v", first == invite, set.Lives("first"), set.Learned())
	}
	if set.Accept("first") != nil {
		t.Error("a 2xx that comes again makes a dialog")
	}
	for app := range uint32(3) {
		first.Count.Number(2+app, true)
	}
	second := set.Accept("second")
	if second == nil || second == first || !set.Lives("second") {
		t.Fatal("the second is no dialog of its own")
	}
	if second.Count.LastCSeq() != 5 || second.Count.WireCSeq(1) != 5 || first.Count.LastCSeq() != 8 {
		t.Errorf("the second goes on after %d, its ACK gets %d, the first is at %d; want 5, 5 and 8",
			second.Count.LastCSeq(), second.Count.WireCSeq(1), first.Count.LastCSeq())
	}
	second.Count.Number(2, false)
	if third := set.Accept("third"); third.Count.LastCSeq() != 5 {
		t.Errorf("the third goes on after %d, want 5", third.Count.LastCSeq())
	}
}

// RFC 3261 §13.2.1: what one party has said while it rang belongs to its own dialog.
func TestAcceptedAsItRang(t *testing.T) {
	message := func(status int, body string) offeranswer.Message {
		return offeranswer.Message{Method: "INVITE", CSeq: 1, Status: status, Type: offeranswer.SDP, Body: []byte(body)}
	}
	set := New().Open("call", "ours")
	invite := set.Invite(sessiontimer.DefaultPolicy())
	invite.Invites(message(0, "v=0 offer"))
	for _, tag := range []string{"first", "second"} {
		invite.Said(offeranswer.Peer, message(183, "v=0 "+tag), tag)
	}
	for _, c := range []struct{ tag, want string }{{"first", "v=0 first"}, {"second", "v=0 second"}, {"silent", ""}} {
		agreed := set.Accept(c.tag).AcceptedBy(message(0, "v=0 offer"), offeranswer.Message{Method: "INVITE", CSeq: 1, Status: 200})
		if got := string(agreed.Peers.Body); got != c.want {
			t.Errorf("%s has answered %q, want %q", c.tag, got, c.want)
		}
	}
}

// Our requests to an early dialog, or to a fork that was not taken, belong to the INVITE. The
// peer's do only until it has made a dialog.
func TestWhoseRequest(t *testing.T) {
	set := New().Open("call", "ours")
	if set.Speaking("theirs") != nil || set.Dialog("theirs") != nil {
		t.Error("a new set has a dialog")
	}
	invite := set.Invite(sessiontimer.DefaultPolicy())
	invite.Count.Number(3, true)
	if set.Of("theirs") != invite || set.Speaking("theirs") != invite || set.Dialog("theirs") != nil {
		t.Error("while it rings, a request does not belong to the INVITE, or it is a dialog already")
	}
	set.Accept("theirs")
	if set.Of("theirs") != invite || set.Speaking("theirs") != invite || set.Dialog("theirs") != invite {
		t.Error("after the 2xx the dialog is another")
	}
	fork := set.Of("fork")
	if fork == invite || fork != set.Of("other") || fork.Count.LastCSeq() != 3 || set.Speaking("fork") != nil {
		t.Errorf("forks that were not taken share one Dialog with the CSeq of the INVITE, now %d; the peer's request has none: %t",
			fork.Count.LastCSeq(), set.Speaking("fork") == nil)
	}
	if again := set.Invite(sessiontimer.DefaultPolicy()); again != fork || set.Speaking("fork") != again || set.Speaking("theirs") != invite {
		t.Error("a further INVITE does not go on where the first was, or takes over the requests of its dialog")
	}
}

// What a peer was told counts until its dialog is confirmed; then the store has it.
func TestEarlyUntilConfirmed(t *testing.T) {
	set := New().Open("call", "ours")
	early := func(when, tag, told string, want bool) {
		t.Helper()
		if got, ok := set.Early(tag); ok != want || got.Extensions != told {
			t.Errorf("%s: early: %t, told %q; want %t and %q", when, ok, got.Extensions, want, told)
		}
	}
	early("at the beginning", "theirs", "", false)
	d := set.Ring("theirs", 1, Told{Extensions: "a"})
	early("the peer's INVITE", "theirs", "a", true)
	d.Accepted()
	early("after our 2xx", "theirs", "", false)
	set.Invite(sessiontimer.DefaultPolicy()).Tell(Told{Extensions: "b"})
	early("our INVITE", "anybody", "b", true)
	early("our INVITE, and a dialog before it", "theirs", "", false)
	set.Accept("answerer")
	early("after its 2xx", "answerer", "", false)
	early("after its 2xx, another", "anybody", "", false)
}

// A dialog lives from its 2xx to its end. One that ended without a reason goes on elsewhere.
func TestLivesAndReleased(t *testing.T) {
	set := New().Open("call", "ours")
	is := func(when string, lives, released bool) {
		t.Helper()
		if set.Lives("theirs") != lives || set.Released("theirs") != released {
			t.Errorf("%s: alive: %t, released: %t; want %t and %t", when, set.Lives("theirs"), set.Released("theirs"), lives, released)
		}
	}
	is("unknown", false, false)
	d := set.Ring("theirs", 1, Told{})
	is("early", false, false)
	d.Accepted()
	is("confirmed", true, false)
	set.End("theirs", false, sessiontimer.Reason{})
	is("given up here", false, true)
	d.why = sessiontimer.Reason{Cause: sessiontimer.CauseHungUp}
	is("hung up", false, false)
}

// Of many that end a dialog one is first. Once the set has no dialog that lives, and no INVITE
// that may make one, it is not needed any more.
func TestEnd(t *testing.T) {
	set, why := New().Open("call", "ours"), sessiontimer.Reason{Cause: sessiontimer.CauseExpired}
	end := func(tag string, wantFirst, wantLast bool) {
		t.Helper()
		if first, last := set.End(tag, true, why); first != wantFirst || last != wantLast {
			t.Errorf("%s: first: %t, last: %t; want %t and %t", tag, first, last, wantFirst, wantLast)
		}
	}
	invite := set.Invite(sessiontimer.DefaultPolicy())
	a, b := set.Ring("a", 1, Told{}), set.Ring("b", 1, Told{})
	set.Ring("c", 1, Told{})
	if invite.Offering(anOffer("x")); !set.Needed() {
		t.Error("not needed")
	}
	end("unknown", false, false)
	end("a", true, false)
	end("a", false, false)
	end("b", true, false) // c lives
	end("c", true, false) // our INVITE may make a dialog
	if invite.Offered(anOffer("x")); set.Needed() {
		t.Error("needed after all is over")
	}
	set.Ring("d", 1, Told{})
	end("d", true, true)
	if !a.EndedByUs() || a.EndedFor() != why || b.EndedFor() != why {
		t.Errorf("ended by us: %t, for %v", a.EndedByUs(), a.EndedFor())
	}
}

// A fork that the application ends before it acknowledges it becomes no dialog.
func TestEndOfFork(t *testing.T) {
	f := newForked()
	for _, tag := range []string{"one", "two"} {
		f.answer(tag)
	}
	if first, last := f.End("one", false, sessiontimer.Reason{}); first || last {
		t.Errorf("a fork is no dialog that ends: first: %t, last: %t", first, last)
	}
	for _, tag := range []string{"one", "two"} {
		f.TakeFork(t.Context(), tag)
	}
	f.want(t, "two")
}

// An early dialog that is refused leaves the set, and no other does.
func TestAbandon(t *testing.T) {
	set := New().Open("call", "ours")
	a, b := set.Ring("a", 1, Told{}), set.Ring("b", 1, Told{})
	if set.Abandon(a) || set.Dialog("a") != nil || set.Dialog("b") != b {
		t.Error("the refused one stays, or the other does not")
	}
	if !set.Abandon(b) || set.Dialog("b") != nil {
		t.Error("the set is needed without a dialog")
	}
}

// A set is idle if all of its dialogs are, nothing of its INVITE is in flight, and no fork
// waits for its ACK.
func TestSetIdle(t *testing.T) {
	set := New().Open("call", "ours")
	idle := func(when string, want bool) {
		t.Helper()
		if got := set.idle(); got != want {
			t.Errorf("%s: idle: %t, want %t", when, got, want)
		}
	}
	idle("empty", true)
	invite := set.Invite(sessiontimer.DefaultPolicy())
	idle("an INVITE of which nothing is in flight", true)
	invite.Offering(anOffer("x"))
	idle("an INVITE in flight", false)
	set.Accept("a")
	invite.Offered(anOffer("x"))
	idle("a confirmed dialog", true)
	b := set.Ring("b", 1, Told{})
	idle("and an early one", false)
	b.Accepted()
	idle("both confirmed", true)
	set.Fork("fork", func(context.Context) {})
	idle("a fork", false)
	set.TakeFork(t.Context(), "fork")
	idle("which the application has taken", true)
}

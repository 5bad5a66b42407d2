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
	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// offered is a re-INVITE of the peer with CSeq 2 and no description, whose 2xx offers ours. With
// here, the timers answer it.
func offered(t *testing.T, dialog *dialogset.Dialog, at time.Time, here bool) *dialogset.PeerInvite {
	t.Helper()
	invite, clash := dialog.OpenInvite(2)
	if clash != dialogset.NoClash {
		t.Fatalf("the re-INVITE clashes: %v", clash)
	}
	req := fromPeer(t, "INVITE", "ours")
	dialog.Said(offeranswer.Peer, calls.Requested(req), "")
	dialog.Said(offeranswer.Us, calls.Responded(req, okTo(req, oursSDP)), "")
	if here {
		dialog.AnswerHere(invite)
	}
	dialog.Answered(invite, at)
	return invite
}

// RFC 3261 §13.2.2.4: an ACK goes to the application, with its retransmissions, except for that
// of a re-INVITE that was answered here and changes no media, which the application has not
// seen, and in a call whose dialog it has not.
func TestAck(t *testing.T) {
	for _, c := range []struct {
		name            string
		request         []string
		here, orphan    bool
		unknown, unable bool
		passed          [2]bool // the ACK and its retransmission
		moved           bool
		acked           bool
	}{
		{name: "of a re-INVITE of the application", passed: [2]bool{true, true}, acked: true},
		{name: "without a handler", unable: true, acked: true},
		{name: "of one that was answered here", here: true, acked: true},
		{name: "the same, and the media stays", here: true, request: []string{theirsSDP}, acked: true},
		{name: "the same, and the media moves", here: true, request: []string{otherSDP}, acked: true, moved: true, passed: [2]bool{true, false}},
		{name: "the media moves in a re-INVITE of the application", request: []string{otherSDP}, passed: [2]bool{true, true}, acked: true},
		{name: "of another number", here: true, request: []string{"CSeq: 7 ACK"}, passed: [2]bool{true, true}},
		{name: "without a number", here: true, request: []string{"-CSeq"}, passed: [2]bool{true, true}},
		{name: "the application has no dialog", orphan: true, acked: true},
		{name: "in a call that is not known", unknown: true, passed: [2]bool{true, true}},
	} {
		d := newDesk(t.Context())
		if c.orphan {
			d.calls.Expect(callID, "a", false)
		}
		var invite *dialogset.PeerInvite
		if !c.unknown {
			_, dialog := d.resumed(t, aCall())
			invite = offered(t, dialog, time.Now(), c.here)
		}
		for i, want := range c.passed {
			passed := false
			next := sipgo.RequestHandler(func(*sip.Request, sip.ServerTransaction) { passed = true })
			if c.unable {
				next = nil
			}
			if d.Ack(next, fromPeer(t, "ACK", "ours", c.request...), new(keeping)); passed != want {
				t.Errorf("%s, %d before: passed %t, want %t", c.name, i, passed, want)
			}
		}
		if (len(d.events) == 1) != c.moved {
			t.Errorf("%s: events %+v, want one of the media: %t", c.name, d.events, c.moved)
		}
		if invite != nil {
			if kept := d.kept(t); kept.Version > 2 || (kept.Version == 2) != slices.Contains([]string{theirsSDP, otherSDP}, strings.Join(c.request, "")) {
				t.Errorf("%s: written %d times, want once for an answer, and else never", c.name, kept.Version-1)
			}
		}
		if invite != nil && isClosed(invite.Acked()) != c.acked {
			t.Errorf("%s: acknowledged: %t, want %t", c.name, !c.acked, c.acked)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// An ACK proves that the peer is there: nobody else knows our tag.
func TestAckProves(t *testing.T) {
	d := newDesk(t.Context())
	d.keep(t, aCall())
	dialog := unproved(d)
	if d.Ack(nil, fromPeer(t, "ACK", "ours"), new(keeping)); dialog.Unproved() || len(d.proved) != 1 {
		t.Errorf("proved are %v, want the call", d.proved)
	}
}

// The answer in an ACK is stored (RFC 3261 §13.2.1). If the ACK comes more than a second after
// the 2xx, the first 2xx was lost, and the peer counts from a later one: the session that it
// refreshes starts with the ACK. Neither is a refresh.
func TestConfirmed(t *testing.T) {
	for _, c := range []struct {
		name      string
		delay     time.Duration
		body      string
		refresher sessiontimer.Refresher
		older     bool // the session is not that of the 2xx
		answered  bool // the 2xx had the answer, and the ACK has nothing to say
		moved     time.Duration
		news      bool
	}{
		{name: "in time", delay: time.Second, refresher: sessiontimer.Peer},
		{name: "late", delay: time.Second + 1, refresher: sessiontimer.Peer, moved: time.Second + 1},
		{name: "late, after an answer in the 2xx", delay: 10 * time.Second, refresher: sessiontimer.Peer, answered: true, moved: 10 * time.Second},
		{name: "late, and we refresh", delay: 10 * time.Second, refresher: sessiontimer.Local},
		{name: "late, and the session is another", delay: 10 * time.Second, refresher: sessiontimer.Peer, older: true},
		{name: "in time, with an answer", body: otherSDP, refresher: sessiontimer.Peer, news: true},
		{name: "late, with an answer", delay: 10 * time.Second, body: otherSDP, refresher: sessiontimer.Peer, moved: 10 * time.Second, news: true},
	} {
		bubble.Test(t, func(t *testing.T) {
			d, call := newDesk(t.Context()), aCall()
			answered := call.Session.Since
			call.Session.Refresher = c.refresher
			if c.older {
				call.Session.Since = answered.Add(-time.Second)
			}
			since := call.Session.Since
			_, dialog := d.resumed(t, call)
			if c.answered {
				dialog.ExpectAck(2, answered, time.NewTimer(time.Hour))
			} else {
				offered(t, dialog, answered, false)
			}
			time.Sleep(c.delay)
			var more []string
			if c.body != "" {
				more = append(more, c.body)
			}
			d.Ack(nil, fromPeer(t, "ACK", "ours", more...), new(keeping))
			kept := d.kept(t)
			if got := kept.Session.Since.Sub(since); got != c.moved {
				t.Errorf("%s: the session starts %v later, want %v", c.name, got, c.moved)
			}
			if news := string(kept.PeerSDP) == otherSDP; news != c.news || string(kept.SDP) != oursSDP || len(kept.PeerSDP) == 0 {
				t.Errorf("%s: the peer's new description is stored: %t, want %t", c.name, news, c.news)
			}
			if written := kept.Version > 1; written != (c.delay > time.Second || c.news) || len(d.events) != 0 {
				t.Errorf("%s: written %t, events %+v; want a write only if it is late or has an answer, and no event", c.name, written, d.events)
			}
		})
	}
}

// RFC 3261 §14.2, RFC 3311 §5.2: an offer waits until the application has had the ACK before
// it, and at most 4*T1 for one that was lost. Nothing else waits.
func TestAwaitAck(t *testing.T) {
	for _, c := range []struct {
		name        string
		ours        string        // our tag in the offer
		had, closes time.Duration // when the ACK comes, and the timers end; 0 for never
		settled     bool          // no ACK is outstanding
		uncommitted time.Duration // until the 2xx is committed
		another     bool          // the dialog is not that of the offer
		want        time.Duration
	}{
		{name: "the ACK comes", ours: "ours", had: time.Second, want: time.Second},
		{name: "the ACK is lost", ours: "ours", want: 4 * sip.T1},
		{name: "the timers end", ours: "ours", closes: time.Second, want: time.Second},
		{name: "no ACK is outstanding", ours: "ours", settled: true},
		{name: "the 2xx is about to be committed", ours: "ours", settled: true, uncommitted: time.Second, want: time.Second},
		{name: "in another set", ours: "others"},
		{name: "in another dialog", ours: "ours", another: true},
	} {
		bubble.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			d, call := newDesk(ctx), aCall()
			if c.another {
				call.RemoteTag = "others"
			}
			_, dialog := d.resumed(t, call)
			if !c.settled {
				offered(t, dialog, time.Now(), false)
			}
			if c.uncommitted > 0 {
				dialog.HandOver()
				time.AfterFunc(c.uncommitted, dialog.HandedOver)
			}
			if c.had > 0 {
				time.AfterFunc(c.had, func() { d.Ack(nil, fromPeer(t, "ACK", "ours"), new(keeping)) })
			}
			if c.closes > 0 {
				time.AfterFunc(c.closes, cancel)
			}
			begun := time.Now()
			d.awaitAck(fromPeer(t, "INVITE", c.ours, "CSeq: 3 INVITE"))
			if waited := time.Since(begun); waited != c.want {
				t.Errorf("%s: it waits %v, want %v", c.name, waited, c.want)
			}
			synctest.Wait()
		})
	}
}

// The application has had an ACK when its handler returns, not before.
func TestAckIsHad(t *testing.T) {
	d := newDesk(t.Context())
	_, dialog := d.resumed(t, aCall())
	offered(t, dialog, time.Now(), false)
	had := dialog.AckToBeHad()
	d.Ack(func(*sip.Request, sip.ServerTransaction) {
		if isClosed(had) {
			t.Error("an offer may overtake the ACK that the application handles")
		}
	}, fromPeer(t, "ACK", "ours"), new(keeping))
	if !isClosed(had) {
		t.Error("the application has handled the ACK, and offers still wait")
	}
}

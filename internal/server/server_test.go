package server

import (
	"context"
	"strconv"
	"testing"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// RFC 3261 §12: in a request of the peer, To has our tag and From has its own.
func TestWithin(t *testing.T) {
	if got := within(fromPeer(t, "BYE", "ours")); got != callID {
		t.Errorf("the request is within %+v, want %+v", got, callID)
	}
	if got := within(sip.NewRequest(sip.BYE, sip.Uri{})); got != (dialogstore.ID{}) {
		t.Errorf("a request without From, To and Call-ID is within %+v", got)
	}
}

// RFC 5057 §5.1: a request in a call whose dialog the application has not gets 405 instead of
// the 481 that would end the call, and one that another node may have gets 500. All others are
// the application's, if it has a handler.
func TestOther(t *testing.T) {
	for _, c := range []struct {
		name                             string
		method, ours                     string
		orphan, elsewhere, rings, unable bool
		status                           int  // 0 for none
		passed, noted                    bool // given to the application, and its answer is noted
	}{
		{name: "outside dialogs", method: "OPTIONS", passed: true},
		{name: "no handler", method: "OPTIONS", unable: true},
		{name: "in a dialog", method: "INFO", ours: "ours", passed: true},
		{name: "in one of nobody", method: "INFO", ours: "others", passed: true},
		{name: "the application has no dialog", method: "INFO", ours: "ours", orphan: true, status: 405},
		{name: "nor a handler", method: "INFO", ours: "ours", orphan: true, unable: true, status: 405},
		{name: "in one of another node", method: "INFO", ours: "others", elsewhere: true, status: 500},
		{name: "the same without a handler", method: "INFO", ours: "others", elsewhere: true, unable: true},
		{name: "a PRACK with an offer while it rings", method: "PRACK", ours: "ours", rings: true, passed: true, noted: true},
		{name: "another method with one", method: "INFO", ours: "ours", rings: true, passed: true},
	} {
		d, tx := newDesk(t.Context()), new(keeping)
		if c.orphan {
			d.calls.Expect(callID, "a", false)
		}
		d.calls.Elsewhere = func(context.Context, dialogstore.ID) (bool, bool) { return c.elsewhere, true }
		if c.rings {
			d.calls.Sets.Open("call", "ours").Ring("theirs", 1, dialogset.Told{})
		}
		var given sip.ServerTransaction
		next := func(_ *sip.Request, tx sip.ServerTransaction) { given = tx }
		if c.unable {
			next = nil
		}
		d.Other(next, fromPeer(t, c.method, c.ours, otherSDP), tx)
		if (given != nil) != c.passed || c.passed && (given != sip.ServerTransaction(tx)) != c.noted {
			t.Errorf("%s: given with %T, want it given: %t, noted: %t", c.name, given, c.passed, c.noted)
		}
		if c.status == 0 && len(tx.sent) != 0 || c.status != 0 && (len(tx.sent) != 1 || tx.sent[0].StatusCode != c.status) {
			t.Errorf("%s: sent %v, want %d", c.name, tx.statuses(), c.status)
		}
		if c.status == 405 && tx.sent[0].GetHeader("Allow").Value() != "INVITE, ACK, BYE, UPDATE" {
			t.Errorf("%s: Allow is %v", c.name, tx.sent[0].GetHeader("Allow"))
		}
	}
}

// Any request in a dialog proves that its peer is there.
func TestOtherProves(t *testing.T) {
	for ours, want := range map[string]int{"ours": 1, "": 0} {
		d := newDesk(t.Context())
		unproved(d)
		if d.Other(nil, fromPeer(t, "INFO", ours), new(keeping)); len(d.proved) != want {
			t.Errorf("a request to the tag %q proves %v, want %d", ours, d.proved, want)
		}
	}
}

// The first handler counts, if there is one.
func TestEither(t *testing.T) {
	called := ""
	one, other := func(*sip.Request, sip.ServerTransaction) { called += "one " }, func(*sip.Request, sip.ServerTransaction) { called += "other " }
	for _, h := range []sipgo.RequestHandler{Either(one, other), Either(nil, other), Either(one, nil)} {
		h(nil, nil)
	}
	if called != "one other one " || Either(nil, nil) != nil {
		t.Errorf("called %q", called)
	}
}

// RFC 3261 §14.2: a peer whose request meets another waits for 0 to 10 s, and not all
// peers for the same time.
func TestRetryAfter(t *testing.T) {
	seen := make(map[int]bool)
	for range 2000 {
		value := retryAfter().Value()
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 10 {
			t.Fatalf("Retry-After of %q, want 0 to 10", value)
		}
		seen[n] = true
	}
	if len(seen) != 11 {
		t.Errorf("of 0 to 10 s only %v", seen)
	}
}

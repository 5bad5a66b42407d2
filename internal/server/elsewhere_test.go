package server

import (
	"context"
	"log/slog"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// The registry is asked about a request of a dialog that is not known here, and about no
// other. What another node has, or may have, gets a 500.
func TestElsewhere(t *testing.T) {
	const is, sure = true, true
	off, offer := sessiontimer.Policy{Mode: sessiontimer.Off}, sessiontimer.DefaultPolicy()
	for _, c := range []struct {
		name     string
		method   sip.RequestMethod
		ours     string // our tag in the request
		policy   sessiontimer.Policy
		is, sure bool // what the registry says
		asked    int
		refused  bool
	}{
		{"a call of another node", sip.INVITE, "others", offer, is, sure, 1, true},
		{"a call of nobody", sip.INVITE, "others", offer, !is, sure, 1, false},
		{"a refresh while the registry is out of reach", sip.UPDATE, "others", offer, !is, !sure, 1, true},
		{"a re-INVITE, too", sip.INVITE, "others", offer, !is, !sure, 1, true},
		{"another request, perhaps of a subscription", sip.NOTIFY, "others", offer, !is, !sure, 1, false},
		{"the same in a call of another node", sip.NOTIFY, "others", offer, is, sure, 1, true},
		{"a request outside dialogs", sip.OPTIONS, "", offer, is, sure, 0, false},
		{"an application with calls of its own", sip.INVITE, "others", off, is, sure, 0, false},
		{"a call that rings here", sip.UPDATE, "ours", offer, is, sure, 0, false},
	} {
		asked, tx := 0, new(keeping)
		s := New(calls.New(context.Background(), calls.Config{Log: slog.New(slog.DiscardHandler), Policy: c.policy}), nil)
		s.calls.Store = dialogstore.Observe(dialogstore.NewMemory())
		s.calls.Elsewhere = func(_ context.Context, id dialogstore.ID) (bool, bool) {
			asked++
			if want := (dialogstore.ID{CallID: "call", LocalTag: c.ours, RemoteTag: "theirs"}); id != want {
				t.Errorf("%s: the registry is asked about %v, want %v", c.name, id, want)
			}
			return c.is, c.sure
		}
		s.calls.Sets.Open("call", "ours").Ring("theirs", 1, dialogset.Told{})
		refused := s.elsewhere(taggedRequest(c.method, "theirs", c.ours), tx)
		if asked != c.asked || refused != c.refused || (len(tx.sent) == 1) != refused {
			t.Errorf("%s: asked %d times, refused %t with %v; want %d, %t", c.name, asked, refused, tx.sent, c.asked, c.refused)
		}
		if refused && (tx.sent[0].StatusCode != 500 || tx.sent[0].GetHeader("Retry-After") == nil) {
			t.Errorf("%s: %v, want a 500 with Retry-After", c.name, tx.sent[0])
		}
	}
	alone := New(calls.New(context.Background(), calls.Config{Log: slog.New(slog.DiscardHandler), Policy: offer}), nil)
	if alone.elsewhere(taggedRequest(sip.INVITE, "theirs", "others"), new(keeping)) {
		t.Error("a node that shares no calls refuses one of nobody")
	}
}

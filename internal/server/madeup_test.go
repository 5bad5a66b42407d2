package server

import (
	"context"
	"log/slog"
	"strconv"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// RFC 3311 §5.2: an UPDATE that the application gets as a re-INVITE has no provisional
// responses, and one final response: 491 and 500 as they are, the latter with Retry-After,
// and 488 for any other refusal.
func TestMadeUpRefusals(t *testing.T) {
	reasons := map[int]string{491: "Request Pending", 500: "Server Internal Error", 488: "Not Acceptable Here"}
	for _, c := range []struct{ status, want int }{
		{100, 0}, {183, 0}, {491, 491}, {500, 500}, {488, 488}, {486, 488}, {302, 488}, {603, 488}, {490, 488}, {501, 488},
	} {
		tx := new(keeping)
		s := New(calls.New(context.Background(), calls.Config{Log: slog.New(slog.DiscardHandler)}), nil)
		update := sip.NewRequest(sip.UPDATE, sip.Uri{Scheme: "sip", Host: "h"})
		update.AppendHeader(&sip.CSeqHeader{SeqNo: 3, MethodName: sip.UPDATE})
		set := s.calls.Sets.Open("call", "ours")
		l := &laterRequest{request: request{ServerTransaction: tx, s: s, req: update}, id: dialogstore.ID{CallID: "call", LocalTag: "ours", RemoteTag: "theirs"},
			set: set, dialog: set.Ring("theirs", 1, dialogset.Told{}), turn: noTurn{}}
		m := &madeUpTx{laterRequest: l}
		for range 2 { // of which the second changes nothing
			if err := m.Respond(sip.NewResponse(c.status, "")); err != nil {
				t.Errorf("%d: %v", c.status, err)
			}
		}
		switch {
		case c.want == 0:
			if len(tx.sent) != 0 || m.final {
				t.Errorf("%d was sent", c.status)
			}
			continue
		case len(tx.sent) != 1 || tx.sent[0].StatusCode != c.want || tx.sent[0].Reason != reasons[c.want] || tx.sent[0].CSeq().MethodName != sip.UPDATE || m.accepted:
			t.Errorf("%d: sent %v, want one %d to the UPDATE", c.status, tx.sent, c.want)
			continue
		}
		wait := tx.sent[0].GetHeader("Retry-After")
		if (wait != nil) != (c.want == 500) {
			t.Errorf("%d: Retry-After %v", c.status, wait)
		} else if wait != nil {
			if n, err := strconv.Atoi(wait.Value()); err != nil || n > 10 {
				t.Errorf("%d: Retry-After %v, want up to 10 s", c.status, wait)
			}
		}
	}
}

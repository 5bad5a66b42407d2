package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
)

// unreadable is a store out of reach.
type unreadable struct{ dialogstore.Store }

func (unreadable) Load(context.Context, dialogstore.ID) (dialogstore.Dialog, error) {
	return dialogstore.Dialog{}, errors.New("out of reach")
}

// A BYE is known to be in order only if its dialog can be read and it has a CSeq.
func TestByeInOrder(t *testing.T) {
	memory := dialogstore.NewMemory()
	id := dialogstore.ID{CallID: "call", LocalTag: "ours", RemoteTag: "theirs"}
	d := dialogstore.Dialog{Origin: dialogstore.Origin{ID: id}, State: dialogstore.State{RemoteCSeq: 5}}
	if err := memory.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		store dialogstore.Store
		cseq  uint32 // 0 for none
		want  bool
	}{
		{"later", memory, 6, true},
		{"again", memory, 5, false},
		{"without a CSeq", memory, 0, false},
		{"of a dialog that cannot be read", unreadable{memory}, 6, false},
		{"of no dialog", dialogstore.NewMemory(), 6, false},
	} {
		s := New(calls.New(context.Background(), calls.Config{Log: slog.New(slog.DiscardHandler)}), nil)
		s.calls.Store = dialogstore.Observe(c.store)
		req := taggedRequest(sip.BYE, "theirs", "ours")
		req.RemoveHeader("CSeq")
		if c.cseq > 0 {
			req.AppendHeader(&sip.CSeqHeader{SeqNo: c.cseq, MethodName: sip.BYE})
		}
		if got := (&byeTx{s: s, req: req, id: id}).inOrder(); got != c.want {
			t.Errorf("a BYE %s is in order: %t, want %t", c.name, got, c.want)
		}
	}
}

package dialogset

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipgo-contrib/sessiontimer/internal/bubble"
)

// An INVITE that the application sends again, as after a challenge, is remembered once, and
// takes no room from others whose ACK may be sent again.
func TestInviteSentAgainIsOne(t *testing.T) {
	var n, fork Numbering
	n.GoOnAfter(100)
	first := n.Number(1, true)
	n.Number(2, true)
	fork.follow(&n)
	var last uint32
	for range 2 * keptInvites {
		last = n.Number(2, true)
	}
	for app, want := range map[uint32]uint32{1: first, 2: last, 3: last} {
		if got := n.WireCSeq(app); got != want {
			t.Errorf("the ACK of INVITE %d gets CSeq %d, want %d", app, got, want)
		}
	}
	if got := fork.WireCSeq(2); got != 102 || first != 101 {
		t.Errorf("in another dialog of the INVITE it is %d, and the first one was %d; want 102 and 101 as before", got, first)
	}
	for app := range uint32(keptInvites) {
		n.Number(3+app, true)
	}
	if got := n.WireCSeq(1); got != 1 {
		t.Errorf("after %d more INVITEs the first is still known as %d", keptInvites, got)
	}
}

// Requests leave one after the other; whose context ends while it waits is not sent.
func TestInTurn(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var n Numbering
		failed := errors.New("not sent")
		go func() {
			_ = n.InTurn(context.Background(), func() error { time.Sleep(3 * time.Second); return failed })
		}()
		synctest.Wait()
		short, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := n.InTurn(short, func() error { t.Error("sent out of turn"); return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("out of turn: %v, want the end of the context", err)
		}
		begun := time.Now()
		if err := n.InTurn(context.Background(), func() error { return failed }); !errors.Is(err, failed) {
			t.Errorf("in turn: %v, want what sending returned", err)
		}
		if waited := time.Since(begun); waited != 2*time.Second {
			t.Errorf("it waited %v for the one before, want 2 s", waited)
		}
		if !n.plain() {
			t.Error("a turn is still taken")
		}
	})
}

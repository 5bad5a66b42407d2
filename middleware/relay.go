package middleware

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// relays are the calls that the application passes on as a proxy. They are not
// ours: no message of theirs is marked, and none is answered or sent in their
// name, on neither side.
//
// Only INVITEs under way are remembered. Of the calls that come of them nothing is
// known, and so what is sent within them passes as it is.
type relays struct {
	any atomic.Bool // there has been one
	say sync.Once

	mu       sync.Mutex
	underWay map[string]int // INVITEs, by Call-ID
}

// relay sends a proxy's request as sipgo does without us. An INVITE among them
// makes its call one that is relayed, and undoes what was begun for it.
func (r *requester) relay(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	if req.IsAck() {
		return nil, r.client.TransportLayer().WriteMsg(req)
	}
	tx, err := r.client.TransactionLayer().NewClientTransaction(ctx, req)
	if err != nil {
		return nil, err
	}
	if req.IsInvite() {
		r.t.relayed(req)
		tx.OnTerminate(func(string, error) {
			// Its final response may be on its way to the caller yet.
			time.AfterFunc(dialogset.Life(), func() { r.t.relays.end(sipmsg.CallID(req)) })
		})
	}
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, err
	}
	return tx, nil
}

// relayed notes an INVITE that is about to leave with two Vias.
func (t *Timers) relayed(invite *sip.Request) {
	id := sipmsg.CallID(invite)
	t.relays.begin(id)
	t.relays.say.Do(func() {
		t.log.Info("a call is relayed: where an INVITE leaves with two Vias, its call has no session timer", "call_id", id,
			"local_tag", sipmsg.ToTag(invite), "remote_tag", sipmsg.FromTag(invite))
	})
	if sipmsg.ToTag(invite) != "" {
		t.release(dialogstore.ID{CallID: id, LocalTag: sipmsg.ToTag(invite), RemoteTag: sipmsg.FromTag(invite)})
		t.release(dialogstore.ID{CallID: id, LocalTag: sipmsg.FromTag(invite), RemoteTag: sipmsg.ToTag(invite)})
	}
}

// release forgets a dialog that turns out to be somebody else's.
func (t *Timers) release(id dialogstore.ID) {
	if l := t.setOf(context.Background(), id); l != nil {
		t.ended(context.Background(), l, id.RemoteTag, sessiontimer.CauseDialogClosed)
	}
}

func (r *relays) begin(callID string) {
	r.any.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.underWay == nil {
		r.underWay = make(map[string]int)
	}
	r.underWay[callID]++
}

func (r *relays) end(callID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.underWay[callID]--; r.underWay[callID] == 0 {
		delete(r.underWay, callID)
	}
}

func (r *relays) have(callID string) bool {
	if !r.any.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.underWay[callID] > 0
}

// relayed reports whether the INVITE or UPDATE was passed on by now. It stays so.
func (in *incoming) relayed() bool {
	in.mu.Lock()
	now := !in.passed && in.t.relays.have(sipmsg.CallID(in.req))
	in.passed = in.passed || now
	passed := in.passed
	in.mu.Unlock()
	if now {
		in.close() // a provisional response of ours made an early dialog
	}
	return passed
}

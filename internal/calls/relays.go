package calls

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Relays are the calls that the application passes on as a proxy. They are not ours:
// no message of theirs is marked, and none is answered or sent in their name, on
// neither side.
//
// Only INVITEs under way are remembered. Of the calls that come of them nothing is
// known, and so what is sent within them passes as it is.
type Relays struct {
	any atomic.Bool // there has been one
	say sync.Once

	mu       sync.Mutex
	underWay map[string]int // INVITEs, by Call-ID
}

// Relay notes an INVITE that is about to leave with two Vias, until RelayEnds, and
// undoes what was begun for its call.
func (c *Calls) Relay(invite *sip.Request) {
	id := sipmsg.CallID(invite)
	c.Relays.begin(id)
	c.Relays.say.Do(func() {
		c.Log.Info("a call is relayed: where an INVITE leaves with two Vias, its call has no session timer", "call_id", id,
			"local_tag", sipmsg.ToTag(invite), "remote_tag", sipmsg.FromTag(invite))
	})
	if sipmsg.ToTag(invite) != "" {
		c.release(dialogstore.ID{CallID: id, LocalTag: sipmsg.ToTag(invite), RemoteTag: sipmsg.FromTag(invite)})
		c.release(dialogstore.ID{CallID: id, LocalTag: sipmsg.FromTag(invite), RemoteTag: sipmsg.ToTag(invite)})
	}
}

// release forgets a dialog that turns out to be somebody else's.
func (c *Calls) release(id dialogstore.ID) {
	if s := c.SetOf(context.Background(), id); s != nil {
		c.Ended(context.Background(), s, id.RemoteTag, sessiontimer.CauseDialogClosed)
	}
}

func (r *Relays) begin(callID string) {
	r.any.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.underWay == nil {
		r.underWay = make(map[string]int)
	}
	r.underWay[callID]++
}

// End notes that an INVITE is under way no more.
func (r *Relays) End(callID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.underWay[callID]--; r.underWay[callID] == 0 {
		delete(r.underWay, callID)
	}
}

// Have reports whether an INVITE of the call is relayed at this moment.
func (r *Relays) Have(callID string) bool {
	if !r.any.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.underWay[callID] > 0
}

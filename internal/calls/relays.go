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

// Relays are the calls that the application forwards as a proxy. They have no timers: their
// messages are not changed, and the timers neither answer nor send any.
//
// Only INVITEs in progress are remembered. The calls that result from them are unknown
// here, so their messages pass unchanged anyway.
type Relays struct {
	any atomic.Bool // there has been at least one
	say sync.Once

	mu       sync.Mutex
	underWay map[string]int // INVITEs, by Call-ID
}

// Relay notes an INVITE that the application is about to forward, until Relays.End. It
// forgets the dialogs of its call.
func (c *Calls) Relay(invite *sip.Request) {
	id := sipmsg.CallID(invite)
	c.Relays.begin(id)
	c.Relays.say.Do(func() {
		c.Log.Info("call forwarded as by a proxy: calls whose INVITE leaves with two Vias have no session timer", "call_id", id,
			"local_tag", sipmsg.ToTag(invite), "remote_tag", sipmsg.FromTag(invite))
	})
	if sipmsg.ToTag(invite) != "" {
		c.release(dialogstore.ID{CallID: id, LocalTag: sipmsg.ToTag(invite), RemoteTag: sipmsg.FromTag(invite)})
		c.release(dialogstore.ID{CallID: id, LocalTag: sipmsg.FromTag(invite), RemoteTag: sipmsg.ToTag(invite)})
	}
}

// release forgets a dialog that is not the application's own.
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

// End notes that an INVITE is no longer in progress.
func (r *Relays) End(callID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.underWay[callID]--; r.underWay[callID] == 0 {
		delete(r.underWay, callID)
	}
}

// Have reports whether an INVITE of the call is being forwarded now.
func (r *Relays) Have(callID string) bool {
	if !r.any.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.underWay[callID] > 0
}

package calls

import (
	"context"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// FollowMedia notifies the application if the answer to our refresh, which it has not seen,
// changes the peer's media. before is the dialog before the refresh.
func (c *Calls) FollowMedia(ctx context.Context, before *dialogstore.Dialog, agreed offeranswer.Agreed) {
	if !c.MediaChanged(before, agreed) || c.app.Load().Media == nil || c.Orphan(before.ID) {
		return
	}
	if d, err := c.Store.Load(ctx, before.ID); err == nil {
		c.Workers.Run(func() { c.reInviteApplication(d) })
	}
}

// MediaChanged reports whether agreed changes the peer's media, and if so raises the event
// MediaChanged.
func (c *Calls) MediaChanged(before *dialogstore.Dialog, agreed offeranswer.Agreed) bool {
	if offeranswer.SameMedia(AgreedOf(&before.State).Peers, agreed.Peers) {
		return false
	}
	c.Tell(sessiontimer.MediaChanged{Call: before.Call(time.Now()), Description: string(agreed.Peers.Body), Type: agreed.Peers.Type})
	return true
}

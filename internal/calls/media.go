package calls

import (
	"context"
	"time"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// FollowMedia tells that the answer to a refresh of ours, which the application has not
// seen, says something new about the peer's media.
func (c *Calls) FollowMedia(ctx context.Context, before *dialogstore.Dialog, agreed offeranswer.Agreed) {
	if !c.MediaChanged(before, agreed) || c.app.Load().Media == nil || c.Orphan(before.ID) {
		return
	}
	if d, err := c.Store.Load(ctx, before.ID); err == nil {
		c.Workers.Run(func() { c.reInviteApplication(d) })
	}
}

// MediaChanged tells of a description that says something new about the peer's media,
// and reports whether this one does.
func (c *Calls) MediaChanged(before *dialogstore.Dialog, agreed offeranswer.Agreed) bool {
	if offeranswer.SameMedia(AgreedOf(before).Peers, agreed.Peers) {
		return false
	}
	c.Tell(sessiontimer.MediaChanged{Call: before.Call(time.Now()), Description: string(agreed.Peers.Body), Type: agreed.Peers.Type})
	return true
}

package middleware

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// followMedia tells that the answer to a refresh of ours, which the application has not
// seen, says something new about the peer's media.
func (t *Timers) followMedia(ctx context.Context, before *dialogstore.Dialog, agreed offeranswer.Agreed) {
	if !t.mediaChanged(before, agreed) {
		return
	}
	host := t.host.Load().Host
	if host.Media == nil {
		return
	}
	if d, err := t.store.Load(ctx, before.ID); err == nil {
		t.workers.Run(func() { t.reInviteApplication(host, d) })
	}
}

// mediaChanged tells of a description that says something new about the peer's media.
func (t *Timers) mediaChanged(before *dialogstore.Dialog, agreed offeranswer.Agreed) bool {
	if offeranswer.SameMedia(agreedOf(before).Peers, agreed.Peers) {
		return false
	}
	t.tell(sessiontimer.MediaChanged{Call: before.Call(time.Now()), Description: string(agreed.Peers.Body), Type: agreed.Peers.Type})
	return true
}

// reInviteApplication gives the application a re-INVITE that the peer never sent, and
// whose answer the peer does not get.
func (t *Timers) reInviteApplication(host Host, d dialogstore.Dialog) {
	invite, err := requestOfPeer(d, sip.INVITE, d.RemoteCSeq)
	if err != nil {
		t.log.Error("the application is not told of the peer's media", "call_id", d.CallID,
			"local_tag", d.LocalTag, "remote_tag", d.RemoteTag, "error", err)
		return
	}
	invite.RemoveHeader("Content-Type")
	invite.AppendHeader(sip.NewHeader("Content-Type", d.PeerSDPType))
	invite.SetBody(d.PeerSDP)
	tx := &mediaTx{muteTx: muteTx{done: make(chan struct{})}}
	defer tx.Terminate()
	defer t.contain("media handler", d.ID)
	host.Media(invite, tx)
	if tx.accepted && host.Ack != nil {
		acknowledgeOffer(host.Ack, invite)
	}
}

// mediaTx is the transaction of such a re-INVITE.
type mediaTx struct {
	muteTx
	accepted bool // by the goroutine of the handler
}

// Respond implements sip.ServerTransaction.
func (m *mediaTx) Respond(res *sip.Response) error {
	m.accepted = m.accepted || res.IsSuccess()
	return nil
}

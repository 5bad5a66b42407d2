package client

import (
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// ownAck has what is needed to send the ACK for a re-INVITE of the timers. It is kept for as
// long as the 2xx may be retransmitted, so it is small.
type ownAck struct {
	r      *Requester
	d      *dialogstore.Dialog
	invite *sip.Request
	place  string // where the re-INVITE went; empty for where its URIs lead
}

func (a *attempt) ack() *ownAck { return &ownAck{a.r, a.d, a.req, a.place} }

// acknowledge sends the ACK (RFC 3261 §13.2.2.4), even if the dialog has ended meanwhile.
func (k *ownAck) acknowledge(res *sip.Response) {
	d := *k.d
	indialog.Locate(&d, indialog.SightingIn(res))
	err := k.send(&d, k.place)
	if err != nil && k.place == "" {
		// The Contact of the 2xx leads nowhere, but without an ACK the peer hangs up.
		err = k.send(&d, res.Source())
	}
	if err != nil {
		k.r.c.calls.Log.Warn("cannot send the ACK for our re-INVITE", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag,
			"status", res.StatusCode, "error", err)
	}
}

// send sends the ACK to place, or to where the dialog leads if that is empty.
func (k *ownAck) send(d *dialogstore.Dialog, place string) error {
	ack, err := indialog.Request(d, sip.ACK)
	if err != nil {
		return err
	}
	sipmsg.SetCSeq(ack, k.invite.CSeq().SeqNo)
	copyCredentials(ack, k.invite)
	if err := sipgo.ClientRequestAddVia(k.r.client, ack); err != nil {
		return err
	}
	k.r.fromOpenSocket(ack, d)
	if place == "" || sip.IsReliable(d.Transport) && !k.r.has(d.Transport, place) {
		place = indialog.Leads(d, ack)
	}
	ack.SetDestination(place)
	return k.r.deliver(ack)
}

package client

import (
	"context"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// ack sends an ACK of the application, with the CSeq that its INVITE had on the wire and
// to where the peer is now (RFC 3261 §13.2.2.4). The application may send the same message
// again, so it is not changed.
func (r *Requester) ack(ctx context.Context, req *sip.Request) error {
	id := outOf(req)
	set := r.c.calls.SetOf(ctx, id)
	if set == nil || req.CSeq() == nil {
		return r.client.TransportLayer().WriteMsg(req)
	}
	d := set.Of(id.RemoteTag)
	wire := d.Count.WireCSeq(req.CSeq().SeqNo)
	led := false
	if target, _, _ := d.Elsewhere(req); target != nil || wire != req.CSeq().SeqNo {
		req = req.Clone()
		sipmsg.SetCSeq(req, wire)
		led = r.follow(set, d, req)
	}
	ctx = calls.Detached(ctx)
	set.TakeFork(ctx, id.RemoteTag)
	d = set.Of(id.RemoteTag)
	d.HandOver() // the peer may react before the change is committed
	defer d.HandedOver()
	if err := r.client.TransportLayer().WriteMsg(req); err != nil {
		return err
	}
	r.c.acknowledged(ctx, id, d, req, led)
	return nil
}

// acknowledged notes the session description in an ACK of the application, which may answer
// an offer in the 2xx. The destination is stored as the application's choice, unless follow
// has set it (led).
func (c *Client) acknowledged(ctx context.Context, id dialogstore.ID, m *dialogset.Dialog, ack *sip.Request, led bool) {
	agreed, news := m.Said(offeranswer.Us, calls.Requested(ack), id.RemoteTag)
	d, err := c.calls.Store.Load(ctx, id)
	if err != nil {
		return
	}
	dest := destination(ack, d)
	if led {
		dest = ""
	}
	if !news && (dest == "" || dest == d.Destination) {
		return
	}
	c.calls.Renew(ctx, id, func(d dialogstore.Dialog) dialogstore.State {
		if dest != "" {
			d.Destination = dest
		}
		if news {
			calls.AgreeOn(&d.State, agreed)
		}
		return d.State
	})
}

// destination returns the destination that the application chose for a request; empty if
// it chose none or the dialog has a route set. In a cloned request sipgo has set the
// destination that the URI leads to anyway. That is not a choice, and must not outlive the
// next change of the remote target.
func destination(req *sip.Request, d dialogstore.Dialog) string {
	dest := req.MessageData.Destination()
	if dest == "" || len(d.RouteSet) > 0 || dest == sipmsg.Implied(req) {
		return ""
	}
	return dest
}

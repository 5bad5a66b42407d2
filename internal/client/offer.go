package client

import (
	"context"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/calls"
)

// offer is a request of the application whose responses we handle: an INVITE or UPDATE, or
// a PRACK with a session description.
type offer struct {
	exchange
	app    uint32 // CSeq given by the application
	branch string // branch given by the application
	client *clientTx
}

// begin sends the request and returns the transaction for the application. n is the kind
// that embeds o.
func (o *offer) begin(ctx context.Context, n answered) (sip.ClientTransaction, error) {
	o.client = newClientTx(&o.exchange, n)
	o.branch = o.req.Via().Params.GetOr("branch", "")
	if o.req.IsInvite() || o.req.Method == sip.UPDATE && calls.Described(o.req) {
		o.dialog.Offering(o)
	}
	if err := o.send(ctx, n); err != nil {
		n.over(nil)
		return nil, err
	}
	return o.client, nil
}

func (o *offer) number() uint32 { return o.dialog.Count.Number(o.app, o.req.IsInvite()) }

// permitted returns nil: the application may always send.
func (*offer) permitted(context.Context) error { return nil }

// finish marks the request as finished in its dialog, so that others may be sent.
func (o *offer) finish() {
	o.r.c.calls.Sets.Touch(o.set)
	o.dialog.Finish(o.req.Method)
	o.dialog.Offered(o)
}

// Branch implements dialogset.Offer.
func (o *offer) Branch() string { return o.branch }

// Cancel implements dialogset.Offer. It returns the INVITE to be cancelled, which is not
// sent again after a 422 or 420 from then on. If it was sent again before, Cancel first
// waits until the new one may be cancelled.
func (o *offer) Cancel(ctx context.Context) (*sip.Request, error) {
	ctx, stop := context.WithTimeout(ctx, stepLife())
	defer stop()
	err := o.guard.Await(ctx, func() bool { return o.provisional || o.done || o.proposal.Retries == 0 })
	defer o.guard.Unlock()
	if err != nil {
		return nil, err
	}
	o.cancelled = true
	return o.req, nil
}

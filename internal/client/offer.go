package client

import (
	"context"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/calls"
)

// offer is a request of the application whose responses pass through us: an INVITE or
// UPDATE, or a PRACK that describes something.
type offer struct {
	exchange
	app    uint32 // CSeq that the application gave it
	branch string // and its branch
	client *clientTx
}

// begin sends the request, which is n, and returns the transaction that the
// application sees.
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

// permitted: what the application sends is its own affair.
func (*offer) permitted(context.Context) error { return nil }

// finish lets others have their turn.
func (o *offer) finish() {
	o.r.c.calls.Sets.Touch(o.set)
	o.dialog.Finish(o.req.Method)
	o.dialog.Offered(o)
}

// Branch implements dialogset.Offer.
func (o *offer) Branch() string { return o.branch }

// Cancel implements dialogset.Offer. It waits until a CANCEL may be sent and returns
// the INVITE that it is for, which is not sent anew from then on. Without a retry that
// is the one that the application knows.
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

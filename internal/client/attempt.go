package client

import (
	"context"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
)

// attempt is a request of the timers, sent to one of the places where the peer may be.
type attempt struct {
	exchange
	d          *dialogstore.Dialog // as it was stored when the request was built
	place      string              // where it goes; empty for where its URIs lead
	remember   *string             // the new Dialog.Answered if place answers; nil to leave it as it is
	until      time.Time           // when it is given up; zero for the deadline of its context
	noUpdate   bool                // if it is accepted, the peer counts as refusing UPDATE
	key        failover.Key        // names the call and our epoch of it
	may        permission
	authorized authorizations
	challenges int  // answered
	responded  bool // there was a response; used by await and its caller only
}

// anew returns a copy of the attempt with a new request and transaction.
func (a *attempt) anew() *attempt {
	req := a.req.Clone()
	req.RemoveHeader("Via")
	_ = sipgo.ClientRequestAddVia(a.r.client, req)
	return &attempt{
		exchange: exchange{r: a.r, set: a.set, dialog: a.dialog, id: a.id, req: req, policy: a.policy, ours: true, proposal: a.proposal},
		d:        a.d,
		until:    a.until,
		noUpdate: a.noUpdate,
		key:      a.key,
		may:      a.may,
	}
}

// inTime returns ctx for a step that must not take longer than a lasts. cancel must be called.
func (a *attempt) inTime(ctx context.Context) (bounded context.Context, cancel context.CancelFunc) {
	if a.until.IsZero() || !blocks(a.req) {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, a.until)
}

func (a *attempt) opened(tx *sip.ClientTx) {
	a.authorized.sign(a.req)
	if a.req.IsInvite() {
		tx.OnRetransmission(a.ack().acknowledge)
	}
}

func (a *attempt) number() uint32 { return a.dialog.Count.Number(0, false) }

// numbered stores the CSeq at once if calls are shared: another node may take the call over
// before the outcome is stored.
func (a *attempt) numbered(ctx context.Context, cseq uint32) {
	if a.req.Method != sip.BYE && a.r.c.ownership.Shared() { // before a BYE the dialog was deleted
		a.commitNumber(ctx, cseq, false)
	}
}

func (a *attempt) permitted(ctx context.Context) error {
	if err := a.may(ctx, a.r.c.ownership, a.key); err != nil {
		return err
	}
	return ctx.Err() // asking the registry may have taken long
}

func (a *attempt) says() {
	if a.negotiates() {
		a.dialog.Said(offeranswer.Us, calls.Requested(a.req), a.id.RemoteTag)
	}
}

func (a *attempt) told(ctx context.Context, res *sip.Response) { a.isTold(ctx, res) }

func (a *attempt) accepted(ctx context.Context, res *sip.Response) {
	switch {
	case !a.negotiates(): // a BYE
	case a.ofCall(res):
		ctx = calls.Detached(ctx)
		// Contact is nil: the request has the stored one.
		before, agreed, news := a.settle(ctx, res, nil, calls.Sent{Refresh: true, NoUpdate: a.noUpdate, Remember: a.remember})
		if news {
			a.r.c.calls.FollowMedia(ctx, &before, agreed)
		}
	default:
		a.commitNumber(ctx, a.cseq, false) // no session begins to store it with
	}
}

func (a *attempt) learn(ctx context.Context, minSE time.Duration) { a.learnMinSE(ctx, minSE) }

func (a *attempt) over(res *sip.Response) { a.end(res) }

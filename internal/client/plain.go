package client

import (
	"context"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// plainRequest is any other request of the application within a dialog: it is numbered,
// and its responses are not ours to see.
type plainRequest struct {
	exchange
	app uint32 // CSeq that the application gave it
	led bool   // to where the application does not know that the peer is
}

func (r *Requester) newPlainRequest(set *dialogset.Set, d *dialogset.Dialog, req *sip.Request, led bool) *plainRequest {
	return &plainRequest{
		exchange: exchange{r: r, set: set, dialog: d, id: set.ID(sipmsg.ToTag(req)), req: req, policy: set.Invited()},
		app:      req.CSeq().SeqNo,
		led:      led,
	}
}

func (p *plainRequest) begin(ctx context.Context) (sip.ClientTransaction, error) {
	p.dialog.Begin(ctx, p.req.Method)
	if err := p.send(ctx, p); err != nil {
		if p.tx == nil {
			p.dialog.Finish(p.req.Method) // no transaction that ends
		}
		return nil, err
	}
	return p.tx, nil
}

func (p *plainRequest) opened(tx *sip.ClientTx) {
	tx.OnTerminate(func(string, error) { p.dialog.Finish(p.req.Method) })
}

func (p *plainRequest) number() uint32 { return p.dialog.Count.Number(p.app, false) }

func (p *plainRequest) numbered(ctx context.Context, cseq uint32) {
	if p.req.Method != sip.BYE { // with which the dialog left the store
		p.commitNumber(ctx, cseq, !p.led)
	}
}

func (*plainRequest) permitted(context.Context) error { return nil }

// says has nothing to note.
func (*plainRequest) says() {}

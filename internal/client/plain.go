package client

import (
	"context"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// plainRequest is any other request of the application within a dialog. We set its CSeq and
// do not see its responses.
type plainRequest struct {
	exchange
	app uint32 // CSeq given by the application
	led bool   // follow has set the destination
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
			p.dialog.Finish(p.req.Method) // no transaction will do it
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
	if p.req.Method != sip.BYE { // the dialog was deleted before its BYE
		p.commitNumber(ctx, cseq, !p.led)
	}
}

func (*plainRequest) permitted(context.Context) error { return nil }

// says does nothing: session descriptions in other requests do not count.
func (*plainRequest) says() {}

package middleware_test

import (
	"context"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// The header fields of the timers, written by an application that has no timers. sipgo prints
// and parses them in either case, so this is the least that timers can cost.

const allowed = "INVITE, ACK, CANCEL, BYE, UPDATE"

func answerFields() []sip.Header {
	return []sip.Header{sip.NewHeader("Supported", "timer"), sip.NewHeader("Session-Expires", "1800;refresher=uac"),
		sip.NewHeader("Require", "timer"), sip.NewHeader("Allow", allowed)}
}

// fieldWriter sends as sipgo does without a requester, after writing the fields.
type fieldWriter struct{ client *sipgo.Client }

// Request implements sipgo.ClientTransactionRequester.
func (w fieldWriter) Request(ctx context.Context, req *sip.Request) (sip.ClientTransaction, error) {
	switch req.Method {
	case sip.ACK:
		return nil, w.client.TransportLayer().WriteMsg(req)
	case sip.INVITE, sip.UPDATE:
		req.AppendHeader(sip.NewHeader("Session-Expires", "1800"))
		req.AppendHeader(sip.NewHeader("Allow", allowed))
		req.AppendHeader(sip.NewHeader("Supported", "timer"))
	default:
		req.AppendHeader(sip.NewHeader("Supported", "timer"))
	}
	tx, err := w.client.TransactionLayer().NewClientTransaction(ctx, req)
	if err != nil {
		return nil, err
	}
	return tx, tx.Init()
}

package middleware

import (
	"context"
	"errors"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
)

// Nothing counts that the peer was not sent: a 2xx is given to the transaction
// first, and an ACK to the transport, and what it settles is committed if that took
// it. The peer may be faster than the commit, so its next messages wait for that.

// hand gives a response to the transaction. It returns no error if the response
// went out.
func (in *incoming) hand(res *sip.Response) error {
	before := in.Err()
	err := in.ServerTransaction.Respond(res)
	switch {
	case err == nil || res.IsSuccess() && before != nil && errors.Is(err, before) && in.sendsOn(before):
		return nil
	case errors.Is(err, sip.ErrTransactionCanceled) && res.StatusCode != sip.StatusRequestTerminated:
		// sipgo keeps what it refuses, and would send it again in place of the 487.
		respond(in.ServerTransaction, in.req, sip.StatusRequestTerminated, "Request Terminated")
	case res.IsSuccess() && (before == nil || !errors.Is(err, before)):
		in.mu.Lock()
		in.failed = true
		in.mu.Unlock()
	}
	return err
}

// sendsOn reports whether a transaction that had an error before sends a 2xx
// nevertheless. sipgo's does after its Terminate, as when the handler returned without
// an answer, and in reply to an INVITE after another 2xx that could not be sent.
func (in *incoming) sendsOn(before error) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.failed {
		return in.req.IsInvite()
	}
	return errors.Is(before, sip.ErrTransactionTerminated)
}

// awaitCommit waits until what we sent is committed; d may be nil. No write takes
// longer than a transaction lives, or the stream is stuck.
func (t *Timers) awaitCommit(d *dialogset.Dialog) {
	if d == nil || !d.Uncommitted() {
		return
	}
	ctx, stop := context.WithTimeout(t.ctx, 64*sip.T1)
	defer stop()
	d.AwaitCommit(ctx)
}

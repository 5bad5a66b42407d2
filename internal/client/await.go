package client

import (
	"context"
	"errors"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// await waits for the final response, and repeats the request after a 422, 420 or
// challenge. It gives up if there is no response at all by the end of p, or no final one by
// a.until.
func (a *attempt) await(ctx context.Context, p patience) (*sip.Response, error) {
	look, silence, over := a.lookEverySecond(), alarm(p.until), alarm(a.until)
	for {
		tx := a.transaction()
		select {
		case res := <-tx.Responses():
			a.responded, silence = true, nil
			if more, err := a.receive(ctx, tx, res); err != nil {
				return nil, err
			} else if !more {
				return res, nil
			}
		case <-tx.Done():
			a.unanswered()
			if err := tx.Err(); err != nil {
				return nil, err
			}
			return nil, sip.ErrTransactionTerminated
		case <-look:
			if !connected(tx) {
				a.abandon(tx)
				return nil, errConnectionLost
			}
		case <-silence:
			if a.req.IsInvite() {
				a.giveUp(tx)
			} else {
				tx.Terminate()
			}
			return nil, p.err
		case <-over:
			a.giveUp(tx)
			return nil, context.DeadlineExceeded
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				a.giveUp(tx)
			} else {
				a.abandon(tx)
			}
			return nil, ctx.Err()
		}
	}
}

// receive handles a response. It returns true if another one is to come: the response is
// provisional, or the request was sent again.
func (a *attempt) receive(ctx context.Context, tx *sip.ClientTx, res *sip.Response) (more bool, err error) {
	if res.IsSuccess() {
		if a.req.IsInvite() {
			a.ack().acknowledge(res)
		}
		refresher.LeavePlace(ctx) // before the application is notified, which may take long
	}
	switch {
	case a.handle(ctx, a, res):
		a.authorized.passed("", nil) // a 422 or 420 means that all answers were accepted
		return true, nil
	case res.IsProvisional():
		return true, nil
	case a.challenges < maxChallenges && a.authorize(res):
		a.challenges++
		sipmsg.NewBranch(a.req)
		ctx, cancel := a.inTime(ctx)
		defer cancel()
		return true, a.send(ctx, a)
	case !a.req.IsInvite():
		tx.Terminate() // an INVITE transaction stays, for retransmitted responses
	}
	return false, nil
}

// giveUp leaves the request to a goroutine: await returns, but a 2xx that comes late still
// counts.
func (a *attempt) giveUp(tx *sip.ClientTx) {
	if a.req.Method == sip.BYE {
		tx.Terminate()
		return
	}
	go func() {
		defer tx.Terminate()
		limit := time.After(64 * sip.T1)
		for {
			select {
			case res := <-tx.Responses():
				if res.IsSuccess() {
					if a.req.IsInvite() {
						a.ack().acknowledge(res)
					}
					a.handle(a.r.c.calls.Context, a, res)
				}
				if !res.IsProvisional() {
					return
				}
			case <-tx.Done():
				return
			case <-a.r.c.calls.Context.Done():
				return
			case <-limit:
				return
			}
		}
	}()
}

// lookEverySecond returns a ticker for checking the connection. It never ticks over UDP.
func (a *attempt) lookEverySecond() <-chan time.Time {
	if !sip.IsReliable(a.d.Transport) {
		return nil
	}
	return time.Tick(time.Second)
}

// connected reports whether a response can still arrive over a stream. When that closes, sipgo
// does not tell its transactions: they time out as if the peer were gone. A transaction holds a
// reference to its stream until the stream is closed, so the reference count shows it. The
// pool does not: it may have another stream to the same address by now.
func connected(tx *sip.ClientTx) bool {
	return tx.Connection().Ref(0) > 0
}

// abandon gives the request up. A late 2xx to an INVITE still gets its ACK (RFC 3261
// §13.2.2.4, §17.1.1.3), but does not restart the timer.
func (a *attempt) abandon(tx *sip.ClientTx) {
	if !a.req.IsInvite() {
		tx.Terminate()
		return
	}
	go func() {
		limit := time.After(64 * sip.T1)
		for {
			select {
			case res := <-tx.Responses():
				if res.IsSuccess() {
					a.ack().acknowledge(res)
				}
				a.isTold(context.Background(), res)
				if !res.IsProvisional() {
					return
				}
			case <-tx.Done():
				a.unanswered()
				return
			case <-limit:
				tx.Terminate()
			}
		}
	}()
}

package client

import (
	"context"
	"errors"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// await waits for the final response to a request of ours, over retries and
// challenges. It gives up where there is no response at all by the end of patience.
func (a *attempt) await(ctx context.Context, p patience) (*sip.Response, error) {
	answered := 0
	look, stop := a.lookEverySecond()
	defer stop()
	silence, stopWaiting := p.over()
	defer stopWaiting()
	for {
		tx := a.transaction()
		select {
		case res := <-tx.Responses():
			a.responded, silence = true, nil
			if a.req.IsInvite() && res.IsSuccess() {
				a.acknowledge(res)
			}
			if res.IsSuccess() {
				refresher.LeavePlace(ctx) // the application is told next
			}
			if a.handle(ctx, a, res) {
				a.authorized.passed("", nil) // what was answered so far was accepted
				continue
			}
			if res.IsProvisional() {
				continue
			}
			if answered < maxChallenges && a.authorize(res) {
				answered++
				sipmsg.NewBranch(a.req)
				if err := a.send(ctx, a); err != nil {
					return nil, err
				}
				continue
			}
			if !a.req.IsInvite() {
				tx.Terminate() // that of an INVITE stays, for responses that are sent again
			}
			return res, nil
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

// giveUp waits no longer for the answer to a request of ours; a 2xx that comes all the
// same still counts.
func (a *attempt) giveUp(tx *sip.ClientTx) {
	if a.req.Method == sip.BYE {
		tx.Terminate()
		return
	}
	go func() {
		defer tx.Terminate()
		limit := time.NewTimer(64 * sip.T1)
		defer limit.Stop()
		for {
			select {
			case res := <-tx.Responses():
				if res.IsSuccess() {
					if a.req.IsInvite() {
						a.acknowledge(res)
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
			case <-limit.C:
				return
			}
		}
	}()
}

// lookEverySecond ticks where there is a connection to look at.
func (a *attempt) lookEverySecond() (<-chan time.Time, func()) {
	if !sip.IsReliable(a.d.Transport) {
		return nil, func() {}
	}
	look := time.NewTicker(time.Second)
	return look.C, look.Stop
}

// connected reports whether the answer to a request can still come: sipgo says
// nothing to a transaction whose stream was closed, and lets it time out as if
// the peer were gone. The transaction has a reference to its stream, unless that
// was closed; which one the pool names for the address means nothing.
func connected(tx *sip.ClientTx) bool {
	return !sip.IsReliable(tx.Origin().Transport()) || tx.Connection().Ref(0) > 0
}

// abandon gives up a request of ours. An INVITE still gets its ACK, whatever
// answers it (RFC 3261 §13.2.2.4, §17.1.1.3).
func (a *attempt) abandon(tx *sip.ClientTx) {
	if !a.req.IsInvite() {
		tx.Terminate()
		return
	}
	go func() {
		limit := time.NewTimer(64 * sip.T1)
		defer limit.Stop()
		for {
			select {
			case res := <-tx.Responses():
				if res.IsSuccess() {
					a.acknowledge(res)
				}
				a.isTold(context.Background(), res)
				if !res.IsProvisional() {
					return
				}
			case <-tx.Done():
				a.unanswered()
				return
			case <-limit.C:
				tx.Terminate()
			}
		}
	}()
}

package middleware

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// errNoClient says that a stored dialog uses a transport that nothing sends on.
var errNoClient = errors.New("middleware: no client for the transport")

// errConnectionLost says that the stream closed on which an answer was to come.
var errConnectionLost = errors.New("middleware: connection lost")

// pipeline sends what the refresher decides on, the way the application's
// requests go.
type pipeline struct{ t *Timers }

// Refresh implements refresher.Pipeline.
func (p pipeline) Refresh(ctx context.Context, id dialogstore.ID, a refresher.Attempt) refresher.Outcome {
	d, err := p.load(ctx, id, a.Session)
	if err != nil {
		return refresher.Outcome{Err: err}
	}
	if a.Method == sessiontimer.MethodAuto {
		a.Method = indialog.Method(&d)
	}
	o := refresher.Outcome{Method: a.Method, Alternative: indialog.Alternative(&d, a.Method), OwnsCallID: d.OwnsCallID}
	res, err := p.send(ctx, d, a)
	if err != nil {
		o.Err = unsent(err)
		return o
	}
	o.Status, o.RetryAfter = res.StatusCode, sipmsg.RetryAfter(res)
	return o
}

// load is the dialog, if the session is still its own.
func (p pipeline) load(ctx context.Context, id dialogstore.ID, s sessiontimer.Session) (dialogstore.Dialog, error) {
	d, err := p.t.store.Load(ctx, id)
	if err == nil && !d.Session.Equal(s) {
		err = refresher.ErrSuperseded
	}
	return d, err
}

// send sends a refresh when the dialog is free for it. What it says is from the value
// of then; d is from before.
func (p pipeline) send(ctx context.Context, d dialogstore.Dialog, a refresher.Attempt) (*sip.Response, error) {
	l, m := p.t.sets.Resume(d)
	if gone := p.t.host.Load().Gone; gone != nil && gone(d) {
		return nil, refresher.ErrGone
	}
	if m.Unproved() {
		return nil, refresher.ErrBusy
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := m.BeginOwn(ctx, cancel, a.Method == sessiontimer.MethodReInvite); errors.Is(err, dialogset.ErrBusy) {
		return nil, refresher.ErrBusy
	} else if err != nil {
		return nil, err
	}
	defer m.FinishOwn()
	d, err := p.load(ctx, d.ID, a.Session)
	if err != nil {
		return nil, err
	}
	req, err := indialog.Refresh(&d, a.Method)
	if err != nil {
		return nil, err
	}
	x, err := p.t.ownRequest(l, m, d, req)
	if err != nil {
		return nil, err
	}
	if req.IsInvite() {
		m.Recall(agreedOf(&d))
	}
	x.proposal = x.policy.Propose(d.Session, d.MinSE, d.PeerTimer)
	x.lastChance = d.Session.LastChance()
	x.waited = m.TakeSilence(d.Session)
	x.noUpdate = a.UpdateRefused && req.IsInvite()
	if a.Method == sessiontimer.MethodUpdate && !a.Last && indialog.Alternative(&d, a.Method) {
		return x.runUntil(ctx, updateUntil(d.Session, time.Now()))
	}
	return x.run(ctx)
}

// runUntil is run for an UPDATE that a re-INVITE may follow: there are peers that
// answer none, whatever their Allow says.
func (x *ownRequest) runUntil(ctx context.Context, until time.Time) (*sip.Response, error) {
	short, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	res, err := x.run(short)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", refresher.ErrGivenUp, sip.ErrTransactionTimeout)
	}
	return res, err
}

// updateUntil is when such an UPDATE is given up. Three quarters of a transaction's
// life leave the re-INVITE the rest; but where the peer gives up before that, it goes
// out while it still counts.
func updateUntil(s sessiontimer.Session, now time.Time) time.Time {
	until := now.Add(48 * sip.T1)
	if last := s.LastChance(); last.Before(until) {
		until = last
	}
	if least := now.Add(sip.T2); until.Before(least) {
		until = least
	}
	return until
}

// unsent is an error as the refresher judges it.
func unsent(err error) error {
	switch {
	case errors.Is(err, sip.ErrTransactionTimeout) && !errors.Is(err, refresher.ErrGivenUp):
		return fmt.Errorf("%w: %w", refresher.ErrUnanswered, err)
	case errors.Is(err, sip.ErrUDPMTUCongestion):
		return fmt.Errorf("%w: %w", refresher.ErrTooLong, err)
	}
	return err
}

// End implements refresher.Pipeline.
func (p pipeline) End(ctx context.Context, id dialogstore.ID, s sessiontimer.Session, reason sessiontimer.Reason) (bye func(context.Context), err error) {
	d, err := p.load(ctx, id, s)
	if err != nil {
		return nil, err
	}
	l, m := p.t.sets.Resume(d)
	busy, unconfirmed := m.Busy()
	// What is being answered, by us or by the peer, may renew the session; only
	// the end of the session itself ends that too.
	if busy && time.Now().Before(s.ExpiresAt()) {
		return nil, refresher.ErrBusy
	}
	// RFC 3261 §15: no BYE before the ACK of our 2xx, or the time for one is up; if
	// nobody proves to be there until then, none at all.
	if unconfirmed || m.Unproved() {
		return nil, refresher.ErrBusy
	}
	return p.t.end(ctx, l, id.RemoteTag, reason), nil
}

// await waits for the final response to a request of ours, over retries and
// challenges. It gives up where there is no response at all by the end of patience.
func (x *exchange) await(ctx context.Context, p patience) (*sip.Response, error) {
	answered := 0
	look, stop := x.lookEverySecond()
	defer stop()
	silence, stopWaiting := p.over()
	defer stopWaiting()
	for {
		tx := x.transaction()
		select {
		case res := <-tx.Responses():
			x.responded, silence = true, nil
			if x.req.IsInvite() && res.IsSuccess() {
				x.acknowledge(res)
			}
			if res.IsSuccess() {
				refresher.LeavePlace(ctx) // the application is told next
			}
			if x.handle(ctx, res) {
				x.passed("", nil) // what was answered so far was accepted
				continue
			}
			if res.IsProvisional() {
				continue
			}
			if answered < maxChallenges && x.authorize(res) {
				answered++
				sipmsg.NewBranch(x.req)
				if err := x.send(ctx); err != nil {
					return nil, err
				}
				continue
			}
			if !x.req.IsInvite() {
				tx.Terminate() // that of an INVITE stays, for responses that are sent again
			}
			return res, nil
		case <-tx.Done():
			x.unanswered()
			if err := tx.Err(); err != nil {
				return nil, err
			}
			return nil, sip.ErrTransactionTerminated
		case <-look:
			if !connected(tx) {
				x.abandon(tx)
				return nil, errConnectionLost
			}
		case <-silence:
			if x.req.IsInvite() {
				x.giveUp(tx)
			} else {
				tx.Terminate()
			}
			return nil, p.err
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				x.giveUp(tx)
			} else {
				x.abandon(tx)
			}
			return nil, ctx.Err()
		}
	}
}

// giveUp waits no longer for the answer to a request of ours; a 2xx that comes all the
// same still counts.
func (x *exchange) giveUp(tx *sip.ClientTx) {
	if x.req.Method == sip.BYE {
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
					if x.req.IsInvite() {
						x.acknowledge(res)
					}
					x.handle(x.r.t.ctx, res)
				}
				if !res.IsProvisional() {
					return
				}
			case <-tx.Done():
				return
			case <-x.r.t.ctx.Done():
				return
			case <-limit.C:
				return
			}
		}
	}()
}

// lookEverySecond ticks where there is a connection to look at.
func (x *exchange) lookEverySecond() (<-chan time.Time, func()) {
	if !sip.IsReliable(x.dialog.Transport) {
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

// has reports whether a connection to or, for datagrams, from the address is open.
func (r *requester) has(transport, addr string) bool {
	conn, err := r.client.TransportLayer().GetConnection(transport, addr)
	if err != nil {
		return false
	}
	_, _ = conn.TryClose() // the pool keeps it
	return true
}

// abandon gives up a request of ours. An INVITE still gets its ACK, whatever
// answers it (RFC 3261 §13.2.2.4, §17.1.1.3).
func (x *exchange) abandon(tx *sip.ClientTx) {
	if !x.req.IsInvite() {
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
					x.acknowledge(res)
				}
				x.isTold(context.Background(), res)
				if !res.IsProvisional() {
					return
				}
			case <-tx.Done():
				x.unanswered()
				return
			case <-limit.C:
				tx.Terminate()
			}
		}
	}()
}

// acknowledge sends the ACK of a re-INVITE of ours (RFC 3261 §13.2.2.4), also
// if the dialog is over by now.
func (x *exchange) acknowledge(res *sip.Response) {
	d := *x.dialog
	locate(&d, sightingIn(res))
	if err := x.sendAck(d); err != nil {
		x.r.t.log.Warn("refresh not acknowledged", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag,
			"status", res.StatusCode, "error", err)
	}
}

func (x *exchange) sendAck(d dialogstore.Dialog) error {
	ack, err := indialog.Request(&d, sip.ACK)
	if err != nil {
		return err
	}
	sipmsg.SetCSeq(ack, x.req.CSeq().SeqNo)
	copyCredentials(ack, x.req)
	if err := sipgo.ClientRequestAddVia(x.r.client, ack); err != nil {
		return err
	}
	x.r.fromOpenSocket(ack, &d)
	if x.place != "" && (!sip.IsReliable(d.Transport) || x.r.has(d.Transport, x.place)) {
		ack.SetDestination(x.place)
	}
	return x.r.deliver(ack)
}

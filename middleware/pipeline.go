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
func (p pipeline) Refresh(ctx context.Context, d dialogstore.Dialog, req *sip.Request) (*sip.Response, error) {
	l, m := p.t.sets.Resume(d)
	if gone := p.t.host.Load().Gone; gone != nil && gone(d) {
		return nil, refresher.ErrGone
	}
	if m.Unproved() {
		return nil, refresher.ErrBusy
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := m.BeginOwn(ctx, cancel, req.IsInvite()); errors.Is(err, dialogset.ErrBusy) {
		return nil, refresher.ErrBusy
	} else if err != nil {
		return nil, err
	}
	defer m.FinishOwn()
	now, err := p.t.store.Load(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	if !now.Session.Equal(d.Session) {
		return nil, refresher.ErrSuperseded
	}
	x, err := p.t.ownExchange(l, m, now, req)
	if err != nil {
		return nil, err
	}
	x.proposal = x.policy.Propose(now.Session, now.MinSE, now.PeerTimer)
	x.silentSince = m.TakeSilence(now.Session)
	return x.run(ctx)
}

// Hangup implements refresher.Pipeline.
func (p pipeline) Hangup(ctx context.Context, d dialogstore.Dialog, reason sessiontimer.Reason) error {
	bye, err := p.End(ctx, d, reason)
	if bye != nil {
		bye(ctx)
	}
	return err
}

// End implements refresher.Ender.
func (p pipeline) End(ctx context.Context, d dialogstore.Dialog, reason sessiontimer.Reason) (bye func(context.Context), err error) {
	l, m := p.t.sets.Resume(d)
	busy, unconfirmed := m.Busy()
	// What is being answered, by us or by the peer, may renew the session; only
	// the end of the session itself ends that too.
	if busy && time.Now().Before(d.Session.ExpiresAt()) {
		return nil, refresher.ErrBusy
	}
	// RFC 3261 §15: no BYE before the ACK of our 2xx, or the time for one is up; if
	// nobody proves to be there until then, none at all.
	if unconfirmed || m.Unproved() {
		return nil, refresher.ErrBusy
	}
	return p.t.end(ctx, l, d.RemoteTag, reason), nil
}

// ownExchange prepares a request of ours.
func (t *Timers) ownExchange(l *dialogset.Set, m *dialogset.Dialog, d dialogstore.Dialog, req *sip.Request) (*exchange, error) {
	r := t.requesterFor(d)
	if client := m.SentBy(); client != nil {
		r = &requester{t: t, client: client}
	}
	if r == nil {
		return nil, fmt.Errorf("%w: %s", errNoClient, d.Transport)
	}
	if err := sipgo.ClientRequestAddVia(r.client, req); err != nil {
		return nil, err
	}
	r.fallBack(req, d)
	return &exchange{r: r, dialogs: l, flight: m, req: req, remoteTag: d.RemoteTag, policy: d.Policy, own: true, ours: true, dialog: &d}, nil
}

// run sends a request of ours and waits for its final response.
func (x *exchange) run(ctx context.Context) (*sip.Response, error) {
	if err := x.send(ctx); err != nil {
		return nil, err
	}
	return x.await(ctx)
}

// await waits for the final response to a request of ours, over retries and
// challenges.
func (x *exchange) await(ctx context.Context) (*sip.Response, error) {
	answered := 0
	look, stop := x.lookEverySecond()
	defer stop()
	silence, stopWaiting := x.untilGone()
	defer stopWaiting()
	heard := false
	for {
		tx := x.transaction()
		select {
		case res := <-tx.Responses():
			heard, silence = true, nil
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
			x.abandon(tx)
			return nil, fmt.Errorf("middleware: neither UPDATE nor re-INVITE answered: %w", sip.ErrTransactionTimeout)
		case <-ctx.Done():
			if x.req.Method == sip.UPDATE && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				x.giveUp(tx, heard)
			} else {
				x.abandon(tx)
			}
			return nil, ctx.Err()
		}
	}
}

// untilGone ends when the peer has answered neither the UPDATE before this request
// nor this one for as long as a transaction lives (RFC 4028 §10).
func (x *exchange) untilGone() (<-chan time.Time, func()) {
	if x.silentSince.IsZero() {
		return nil, func() {}
	}
	gone := time.NewTimer(time.Until(x.silentSince.Add(64 * sip.T1)))
	return gone.C, func() { gone.Stop() }
}

// giveUp waits no longer for the answer to an UPDATE of ours; a 2xx that comes all
// the same still counts.
func (x *exchange) giveUp(tx *sip.ClientTx, heard bool) {
	if !heard {
		x.flight.FallSilent(x.dialog.Session, x.sentAt)
	}
	go func() {
		defer tx.Terminate()
		for {
			select {
			case res := <-tx.Responses():
				if res.IsSuccess() {
					x.handle(x.r.t.ctx, res)
				}
				if !res.IsProvisional() {
					return
				}
			case <-tx.Done():
				return
			case <-x.r.t.ctx.Done():
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

// fallBack sends a request to the Contact of a peer whose own connection is gone:
// it may listen there. It does without our own socket if that is not open: sipgo
// would open it, and the program could not.
func (r *requester) fallBack(req *sip.Request, d dialogstore.Dialog) {
	if d.Destination != "" && sip.IsReliable(d.Transport) && !r.has(d.Transport, d.Destination) {
		req.SetDestination("")
	}
	if req.Laddr.IP != nil && !r.has(d.Transport, d.LocalAddr) {
		req.Laddr = sip.Addr{}
	}
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
				if !res.IsProvisional() {
					return
				}
			case <-tx.Done():
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
	retarget(&d, res.Contact())
	if err := x.sendAck(d); err != nil {
		x.r.t.log.Warn("refresh not acknowledged", "call_id", d.CallID, "local_tag", d.LocalTag, "remote_tag", d.RemoteTag,
			"status", res.StatusCode, "error", err)
	}
}

func (x *exchange) sendAck(d dialogstore.Dialog) error {
	ack, err := refresher.NewRequest(d, sip.ACK)
	if err != nil {
		return err
	}
	sipmsg.SetCSeq(ack, x.req.CSeq().SeqNo)
	copyCredentials(ack, x.req)
	if err := sipgo.ClientRequestAddVia(x.r.client, ack); err != nil {
		return err
	}
	x.r.fallBack(ack, d)
	return x.r.deliver(ack)
}

package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/calls"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/ownership"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// Refresh implements refresher.Pipeline.
func (c *Client) Refresh(ctx context.Context, id dialogstore.ID, a refresher.Attempt) refresher.Outcome {
	// Asked before the dialog is taken, so that requests of the application need not wait for
	// the answer.
	if err := toRefresh(ctx, c.ownership, c.ownership.Key(id)); err != nil {
		return refresher.Outcome{Err: unsent(err)}
	}
	d, err := c.load(ctx, id, a.Session)
	if err != nil {
		return refresher.Outcome{Err: err}
	}
	if a.Method == sessiontimer.MethodAuto {
		a.Method = indialog.Method(&d)
	}
	o := refresher.Outcome{Method: a.Method, Alternative: indialog.Alternative(&d, a.Method), OwnsCallID: d.OwnsCallID}
	res, err := c.sendRefresh(ctx, &d, a)
	if err == nil && res.StatusCode == sip.StatusInternalServerError {
		res, err = c.refused(ctx, d, a, res)
	}
	if err != nil {
		o.Err = unsent(err)
		c.tellUnreachable(&d, o.Err)
		return o
	}
	if o.Status = res.StatusCode; !res.IsSuccess() {
		o.RetryAfter = sipmsg.RetryAfter(res)
	}
	return o
}

// refused handles a 500. It may mean that another node has sent requests with a higher CSeq
// in this call (RFC 3261 §12.2.2). If the call was taken over and is ours, the refresh is
// sent again with a CSeq above those.
func (c *Client) refused(ctx context.Context, d dialogstore.Dialog, a refresher.Attempt, res *sip.Response) (*sip.Response, error) {
	answer, jump := c.ownership.Refused(ctx, c.ownership.Key(d.ID))
	switch {
	case answer == ownership.NotMine:
		return nil, errNotOurs
	case !jump:
		return res, nil
	}
	_, m := c.calls.Sets.Resume(&d)
	m.Count.GoOnAfter(ownership.Jump(m.Count.LastCSeq(), ownership.AfterRefusal))
	return c.sendRefresh(ctx, &d, a)
}

// tellUnreachable raises the event Unreachable, once, if the call was taken over and the
// refresh could not be sent.
func (c *Client) tellUnreachable(d *dialogstore.Dialog, err error) {
	if refresher.Unsent(err) && c.calls.Unreachable(d.ID) {
		c.calls.Log.Warn("call taken over, but its peer cannot be reached", "call_id", d.CallID, "local_tag", d.LocalTag,
			"remote_tag", d.RemoteTag, "error", err)
		c.calls.Tell(sessiontimer.Unreachable{Call: d.Call(time.Now()), Err: err})
	}
}

// load returns the dialog, or refresher.ErrSuperseded if its session is no longer s.
func (c *Client) load(ctx context.Context, id dialogstore.ID, s sessiontimer.Session) (dialogstore.Dialog, error) {
	d, err := c.calls.Store.Load(ctx, id)
	if err == nil && !d.Session.Equal(s) {
		err = refresher.ErrSuperseded
	}
	return d, err
}

// sendRefresh waits until the dialog is free for a refresh, loads it again, and sends the
// refresh. A 2xx stores the CSeq with the session that it starts; after anything else it is
// stored here, unless that was done before it was sent: see attempt.numbered.
func (c *Client) sendRefresh(ctx context.Context, before *dialogstore.Dialog, a refresher.Attempt) (*sip.Response, error) {
	set, m := c.calls.Sets.Resume(before)
	if c.calls.Gone(*before) {
		return nil, refresher.ErrGone
	}
	if m.Unproved() {
		return nil, refresher.ErrBusy
	}
	if err := m.BeginOwn(ctx, a.Cancel, a.Method == sessiontimer.MethodReInvite); errors.Is(err, dialogset.ErrBusy) {
		return nil, refresher.ErrBusy
	} else if err != nil {
		return nil, err
	}
	defer m.FinishOwn()
	d, err := c.load(ctx, before.ID, a.Session)
	if err != nil {
		return nil, err
	}
	req, err := indialog.Refresh(&d, a.Method)
	if err != nil {
		return nil, err
	}
	o, err := c.newOwnRequest(set, m, &d, req, c.ownership.Key(d.ID), toRefresh)
	if err != nil {
		return nil, err
	}
	if req.IsInvite() {
		m.Recall(calls.AgreedOf(&d.State))
	}
	o.proposal = o.policy.Propose(d.Session, d.MinSE, d.PeerTimer)
	o.lastChance = d.Session.LastChance()
	o.waited = m.TakeSilence(d.Session)
	o.noUpdate = a.UpdateRefused && req.IsInvite()
	var res *sip.Response
	if a.Method == sessiontimer.MethodUpdate && !a.Last && indialog.Alternative(&d, a.Method) {
		res, err = o.runUntil(ctx, updateUntil(d.Session, time.Now()))
	} else {
		res, err = o.run(ctx)
	}
	if last := m.Count.LastCSeq(); !c.ownership.Shared() && last > d.LocalCSeq && (err != nil || !res.IsSuccess()) {
		o.commitNumber(ctx, last, false)
	}
	return res, err
}

// runUntil is run for an UPDATE that can be followed by a re-INVITE: some peers allow
// UPDATE but never answer it.
func (o *ownRequest) runUntil(ctx context.Context, until time.Time) (*sip.Response, error) {
	o.until = until
	res, err := o.run(ctx)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", refresher.ErrGivenUp, sip.ErrTransactionTimeout)
	}
	return res, err
}

// updateUntil returns when to give up such an UPDATE: after three quarters of the lifetime
// of a transaction, which leaves the rest for the re-INVITE, but at the last chance of the
// session if that is earlier.
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

// unsent wraps an error in the one that package refresher expects.
func unsent(err error) error {
	switch {
	case errors.Is(err, errNotOurs):
		return fmt.Errorf("%w: %w", refresher.ErrSuperseded, err)
	case errors.Is(err, sip.ErrTransactionTimeout) && !errors.Is(err, refresher.ErrGivenUp):
		return fmt.Errorf("%w: %w", refresher.ErrUnanswered, err)
	case errors.Is(err, sip.ErrUDPMTUCongestion):
		return fmt.Errorf("%w: %w", refresher.ErrTooLong, err)
	}
	return err
}

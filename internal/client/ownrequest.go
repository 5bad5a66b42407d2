package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/dialogstore/failover"
	"github.com/sipgo-contrib/sessiontimer/internal/dialogset"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
)

// ownRequest is a request of our own on its way to the peer: an attempt at one place
// after the other where the peer may be, until one of them answers. Each gets a request
// with a number of its own, and the next one only when the one before is given up.
type ownRequest struct {
	*attempt           // at the present place
	first      attempt // it, at the first one
	facts      indialog.Facts
	places     []indialog.Candidate
	at         int           // the present one
	patience   patience      // with it
	lastChance time.Time     // of the session; zero if the deadline is the only one
	waited     time.Duration // how long an UPDATE before was not answered at each place; 0 without one
	stays      bool          // where nobody answers: refreshes before were answered nowhere

	failed  error         // of the places before
	refusal *sip.Response // of one that was only guessed
	silent  time.Duration // the shortest time that one has not answered; 0 if none was asked
	spoken  bool          // one has answered something
}

// patience is how long a place without any response is waited for.
type patience struct {
	until time.Time // zero for as long as the transaction lives
	err   error     // what it means that there is none
}

// over fires when patience ends.
func (p patience) over() (<-chan time.Time, func()) {
	if p.until.IsZero() {
		return nil, func() {}
	}
	over := time.NewTimer(time.Until(p.until))
	return over.C, func() { over.Stop() }
}

var (
	// errNotHeard says that other places are tried now.
	errNotHeard = fmt.Errorf("middleware: nobody has answered there in time: %w", context.DeadlineExceeded)
	// errNoClient says that a stored dialog uses a transport that nothing sends on.
	errNoClient = errors.New("middleware: no client for the transport")
	// errConnectionLost says that the stream closed on which an answer was to come.
	errConnectionLost = errors.New("middleware: connection lost")
	// errOtherCall refuses a 2xx (RFC 3261 §8.2.6.2). The application's dialog, if it
	// makes one of it, has another name than any that we could end.
	errOtherCall = errors.New("middleware: the response names another call")
	// errSilence says that the peer has answered neither an UPDATE nor the re-INVITE
	// after it for as long as a transaction lives (RFC 4028 §10).
	errSilence = fmt.Errorf("middleware: neither UPDATE nor re-INVITE answered: %w", sip.ErrTransactionTimeout)
)

// newOwnRequest prepares a request that indialog has built, to be sent where the call
// is ours by then.
func (c *Client) newOwnRequest(set *dialogset.Set, m *dialogset.Dialog, d *dialogstore.Dialog, req *sip.Request, key failover.Key, may permission) (*ownRequest, error) {
	r := c.RequesterFor(*d)
	if client := m.SentBy(); client != nil {
		r = &Requester{c: c, client: client}
	}
	if r == nil {
		return nil, fmt.Errorf("%w: %s", errNoClient, d.Transport)
	}
	if err := sipgo.ClientRequestAddVia(r.client, req); err != nil {
		return nil, err
	}
	r.fromOpenSocket(req, d)
	o := &ownRequest{
		first: attempt{exchange: exchange{r: r, set: set, dialog: m, id: d.ID, req: req, policy: d.Policy, ours: true}, d: d, key: key, may: may},
		facts: indialog.FactsOf(d, req.Destination()),
		at:    -1,
	}
	o.attempt = &o.first
	o.places = o.facts.Candidates()
	return o, nil
}

// run sends the request and waits for its final response.
func (o *ownRequest) run(ctx context.Context) (*sip.Response, error) {
	if err := o.send(ctx); err != nil {
		return nil, err
	}
	return o.await(ctx)
}

// send sends the request to the next place that takes it.
func (o *ownRequest) send(ctx context.Context) error {
	for o.next(ctx) {
		err := o.sendInTime(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil, errors.Is(err, sip.ErrUDPMTUCongestion), errors.Is(err, errNotOurs), errors.Is(err, errMaybeNotOurs):
			return both(o.failed, err)
		}
		o.fails(0, err)
	}
	return o.failed
}

// next turns to the next place. It returns false if there is none.
func (o *ownRequest) next(ctx context.Context) bool {
	for o.others() > 0 {
		o.at++
		c := o.places[o.at]
		if c.Open && !o.r.has(o.facts.Transport, c.Addr) {
			continue
		}
		o.begin(ctx, c)
		return true
	}
	return false
}

// others is how many places are left.
func (o *ownRequest) others() int { return len(o.places) - 1 - o.at }

// begin prepares the exchange with a place.
func (o *ownRequest) begin(ctx context.Context, c indialog.Candidate) {
	if o.transaction() != nil || o.failed != nil {
		o.attempt = o.anew()
	}
	if o.at > 0 {
		remember := o.facts.Remember(c)
		o.remember = &remember
	}
	o.place = c.Addr
	o.req.SetDestination(o.facts.Leads(c))
	o.patience = o.patienceHere(ctx, time.Now())
}

// patienceHere is that with the present place.
func (o *ownRequest) patienceHere(ctx context.Context, now time.Time) (p patience) {
	if o.waited > 0 {
		p = patience{now.Add(stepLife() - o.waited), errSilence}
	}
	if o.others() > 0 && !o.stays {
		until := now.Add(indialog.Patience(o.timeLeft(ctx, now), o.others()))
		if p.until.IsZero() || until.Before(p.until) {
			p = patience{until, errNotHeard}
		}
	}
	return p
}

// timeLeft is the time until the last chance, or the deadline if that comes first.
func (o *ownRequest) timeLeft(ctx context.Context, now time.Time) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		end = now.Add(stepLife())
	}
	if o.lastChance.After(now) && o.lastChance.Before(end) {
		end = o.lastChance
	}
	return end.Sub(now)
}

// sendInTime sends the request to the present place. Where others may follow, names,
// connections and writes take no longer than the answer may.
func (o *ownRequest) sendInTime(ctx context.Context) error {
	if o.others() > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, min(indialog.Patience(o.timeLeft(ctx, time.Now()), o.others()), stepLife()))
		defer cancel()
	}
	return o.attempt.send(ctx, o.attempt)
}

// await waits for the final response, and turns to the next place where there is
// none, or one that is not believed.
func (o *ownRequest) await(ctx context.Context) (*sip.Response, error) {
	for {
		res, err := o.attempt.await(ctx, o.patience)
		o.listen()
		if !o.turns(ctx, res, err) {
			return o.outcome(res, both(o.failed, err))
		}
		if err := o.send(ctx); err != nil {
			return o.outcome(nil, err)
		}
	}
}

// listen notes whether the present place has answered anything.
func (o *ownRequest) listen() {
	waited := time.Since(o.sentAt)
	if o.responded {
		o.spoken = true
	} else if o.silent == 0 || waited < o.silent {
		o.silent = waited
	}
}

// turns reports whether another place is to be tried.
func (o *ownRequest) turns(ctx context.Context, res *sip.Response, err error) bool {
	switch {
	case o.others() == 0, ctx.Err() != nil, o.stays && errors.Is(err, sip.ErrTransactionTimeout):
		return false
	case err != nil:
		o.fails(0, err)
	case o.facts.Believe(res.StatusCode, o.places[o.at], o.others()):
		return false
	default:
		o.fails(res.StatusCode, nil)
		if o.refusal == nil {
			o.refusal = res
		}
	}
	return true
}

// fails notes that the present place was no good.
func (o *ownRequest) fails(status int, err error) {
	o.r.c.calls.Log.Info("peer not reached", "call_id", o.id.CallID, "local_tag", o.id.LocalTag, "remote_tag", o.id.RemoteTag,
		"method", string(o.req.Method), "place", o.facts.Leads(o.places[o.at]), "status", status, "error", err, "others", o.others())
	o.failed = both(o.failed, err)
}

func both(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return fmt.Errorf("%w; %w", a, b)
}

// outcome is what comes of the request: the answer of the last place or, if that has
// none, of one that was not believed before.
func (o *ownRequest) outcome(res *sip.Response, err error) (*sip.Response, error) {
	switch {
	case res != nil && res.IsSuccess():
		return res, nil
	case res != nil:
		if o.remember != nil && !indialog.Gone(res.StatusCode) {
			o.r.c.calls.Renew(context.WithoutCancel(o.r.c.calls.Context), o.id, func(d dialogstore.Dialog) dialogstore.Dialog {
				d.Answered = *o.remember
				return d
			})
		}
		return res, nil
	case o.refusal != nil:
		return o.refusal, nil
	case o.req.Method == sip.UPDATE && errors.Is(err, context.DeadlineExceeded) && !o.spoken && o.silent > 0:
		o.dialog.FallSilent(o.d.Session, o.silent)
	}
	return nil, err
}

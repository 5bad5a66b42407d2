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

// ownRequest is a request of the timers. It is sent to one place after another where the
// peer may be, until one answers. Each place gets its own attempt, with a new CSeq, and
// only after the attempt before it was given up.
type ownRequest struct {
	*attempt           // the current one
	first      attempt // the first one, to save an allocation
	facts      indialog.Facts
	places     []indialog.Candidate
	at         int           // index of the current place
	patience   patience      // with the current place
	lastChance time.Time     // of the session; zero if only the deadline counts
	waited     time.Duration // how long the UPDATE before this was unanswered at every place; 0 if there was none
	stays      bool          // do not try other places after a timeout: earlier refreshes got no answer anywhere

	failed  error         // the errors of earlier places
	refusal *sip.Response // the first refusal that was not believed
	silent  time.Duration // the shortest time that a place was given and did not answer; 0 if there was none
	spoken  bool          // a place has sent some response
}

// patience is how long to wait for the first response of a place.
type patience struct {
	until time.Time // zero: as long as the transaction lives
	err   error     // the error if there is none by then
}

// alarm returns a channel that fires at t; nil for a zero t.
func alarm(t time.Time) <-chan time.Time {
	if t.IsZero() {
		return nil
	}
	return time.After(time.Until(t))
}

var (
	// errNotHeard means that a place did not answer before it was time to try the next one.
	errNotHeard = fmt.Errorf("middleware: no response before it was time to try the next address: %w", context.DeadlineExceeded)
	// errNoClient means that there is no client for the transport of a stored dialog.
	errNoClient = errors.New("middleware: no client for this transport")
	// errConnectionLost means that the stream closed before the answer came.
	errConnectionLost = errors.New("middleware: connection lost")
	// errOtherCall means that a 2xx has another Call-ID or From tag than its request (RFC
	// 3261 §8.2.6.2). If the application makes a dialog of it, the timers could not end it.
	errOtherCall = errors.New("middleware: the response has the Call-ID or tag of another call")
	// errSilence means that the peer has answered neither an UPDATE nor the re-INVITE after
	// it, both within the lifetime of one transaction (RFC 4028 §10).
	errSilence = fmt.Errorf("middleware: the peer answered neither the UPDATE nor the re-INVITE: %w", sip.ErrTransactionTimeout)
)

// newOwnRequest prepares req, which package indialog has built. may and key decide, when
// it is sent, whether the call is still ours.
func (c *Client) newOwnRequest(set *dialogset.Set, m *dialogset.Dialog, d *dialogstore.Dialog, req *sip.Request, key failover.Key, may permission) (*ownRequest, error) {
	r := c.RequesterFor(d)
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
		facts: indialog.FactsOf(d, indialog.Leads(d, req)),
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

// send sends the request to the next place that can be written to.
func (o *ownRequest) send(ctx context.Context) error {
	for o.next(ctx) {
		err := o.sendInTime(ctx)
		switch {
		case err == nil:
			return nil
		case o.timeUp(ctx), errors.Is(err, sip.ErrUDPMTUCongestion), errors.Is(err, errNotOurs), errors.Is(err, errMaybeNotOurs):
			return both(o.failed, err)
		}
		o.fails(0, err)
	}
	return o.failed
}

// next moves on to the next place. It returns false if there is none.
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

// others returns how many places are left to try.
func (o *ownRequest) others() int { return len(o.places) - 1 - o.at }

// begin prepares the attempt at a place.
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

// patienceHere returns the patience with the current place.
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

// timeLeft returns the time until the last chance or until the request is given up,
// whichever comes first.
func (o *ownRequest) timeLeft(ctx context.Context, now time.Time) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		end = now.Add(stepLife())
	}
	if !o.until.IsZero() && o.until.Before(end) {
		end = o.until
	}
	if o.lastChance.After(now) && o.lastChance.Before(end) {
		end = o.lastChance
	}
	return end.Sub(now)
}

// timeUp reports whether the request is given up.
func (o *ownRequest) timeUp(ctx context.Context) bool {
	return ctx.Err() != nil || !o.until.IsZero() && !time.Now().Before(o.until)
}

// sendInTime sends the request to the current place. If something may come after that, DNS,
// dial and write may take no longer than the answer.
func (o *ownRequest) sendInTime(ctx context.Context) error {
	var cancel context.CancelFunc
	switch others := o.others(); {
	case others > 0:
		ctx, cancel = context.WithTimeout(ctx, min(indialog.Patience(o.timeLeft(ctx, time.Now()), others), stepLife()))
	default:
		ctx, cancel = o.inTime(ctx)
	}
	defer cancel()
	return o.attempt.send(ctx, o.attempt)
}

// await waits for the final response. If there is none, or one that is not believed, it
// moves on to the next place.
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

// listen notes whether the current place has sent any response.
func (o *ownRequest) listen() {
	waited := time.Since(o.sentAt)
	if o.responded {
		o.spoken = true
	} else if o.silent == 0 || waited < o.silent {
		o.silent = waited
	}
}

// turns reports whether to turn to another place after this result.
func (o *ownRequest) turns(ctx context.Context, res *sip.Response, err error) bool {
	switch {
	case o.others() == 0, o.timeUp(ctx), o.stays && errors.Is(err, sip.ErrTransactionTimeout):
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

// fails notes that the current place has failed.
func (o *ownRequest) fails(status int, err error) {
	o.r.c.calls.Log.Info("no usable answer at this address of the peer", "call_id", o.id.CallID, "local_tag", o.id.LocalTag, "remote_tag", o.id.RemoteTag,
		"method", string(o.req.Method), "address", o.facts.Leads(o.places[o.at]), "status", status, "error", err, "addresses_left", o.others())
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

// outcome returns the result of the request: the response of the last place or, if that
// place did not answer, an earlier refusal that was not believed.
func (o *ownRequest) outcome(res *sip.Response, err error) (*sip.Response, error) {
	switch {
	case res != nil && res.IsSuccess():
		return res, nil
	case res != nil:
		if o.remember != nil && !indialog.Gone(res.StatusCode) {
			o.r.c.calls.Renew(context.WithoutCancel(o.r.c.calls.Context), o.id, func(d dialogstore.Dialog) dialogstore.State {
				d.Answered = *o.remember
				return d.State
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

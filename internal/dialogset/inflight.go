package dialogset

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// ErrBusy means that another request is in progress and comes first.
var ErrBusy = errors.New("dialogset: another request is in progress")

// Offer is a request of the application that may carry an offer.
type Offer interface {
	// Branch returns the branch of the application's transaction.
	Branch() string
	// Cancel waits until a CANCEL may be sent, and returns the INVITE to be cancelled.
	Cancel(ctx context.Context) (*sip.Request, error)
}

// inFlight reports whether any request of the dialog is in progress.
func (d *Dialog) inFlight() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.busy > 0 || len(d.offers) > 0 || d.own != nil || d.updating || d.handing > 0 || d.peerInProgress()
}

// offer returns the offer with the branch; nil if there is none.
func (d *Dialog) offer(branch string) Offer {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.offers {
		if x.Branch() == branch {
			return x
		}
	}
	return nil
}

// Offering notes a request of the application that may carry an offer. Offered must follow.
func (d *Dialog) Offering(x Offer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offers = append(d.offers, x)
}

// Offered notes that a request noted by Offering is over.
func (d *Dialog) Offered(x Offer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offers = slices.DeleteFunc(d.offers, func(o Offer) bool { return o == x })
}

// Begin notes a request of the application; Finish must follow. If our refresh is in
// progress, Begin first waits for it, up to T1, so that the two requests do not overtake
// each other. If both are INVITEs or both UPDATEs, it waits for the lifetime of a
// transaction: the peer would refuse the second (RFC 3261 §14.1, RFC 3311 §5.2).
func (d *Dialog) Begin(ctx context.Context, method sip.RequestMethod) {
	d.mu.Lock()
	if d.own != nil {
		d.mu.Unlock()
		d.letOwnEnd(ctx, method)
	}
	d.busy++
	if method == sip.UPDATE {
		d.updates++
	}
	d.mu.Unlock()
}

// letOwnEnd waits for our refresh, as described at Begin. It returns with the lock held.
func (d *Dialog) letOwnEnd(ctx context.Context, method sip.RequestMethod) {
	over := func() bool { return d.own == nil }
	short, cancel := context.WithTimeout(ctx, sip.T1)
	defer cancel()
	err := d.mu.Await(short, over)
	if err != nil && (method == sip.INVITE && d.ownOffer || method == sip.UPDATE && !d.ownOffer) {
		d.mu.Unlock()
		long, cancel := context.WithTimeout(ctx, 63*sip.T1)
		defer cancel()
		_ = d.mu.Await(long, over)
	}
}

// Finish notes that a request noted by Begin is over.
func (d *Dialog) Finish(method sip.RequestMethod) {
	d.mu.Lock()
	d.busy--
	if method == sip.UPDATE {
		d.updates--
	}
	d.mu.Signal()
	d.mu.Unlock()
}

// BeginOwn notes our refresh, which cancel cancels; FinishOwn must follow. It first waits up
// to T2 for other requests. It returns ErrBusy if then another refresh is still in
// progress, another INVITE in the case of a re-INVITE (RFC 3261 §14.1), or another UPDATE
// in the case of an UPDATE (RFC 3311 §5.2).
func (d *Dialog) BeginOwn(ctx context.Context, cancel context.CancelFunc, invite bool) error {
	free := func() bool { return d.own == nil && d.busy == 0 && !d.peerInProgress() }
	d.mu.Lock()
	if !free() {
		d.mu.Unlock()
		wait, stop := context.WithTimeout(ctx, sip.T2)
		defer stop()
		_ = d.mu.Await(wait, free)
	}
	defer d.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case d.own != nil || invite && (len(d.offers) > 0 || d.peerInProgress()) || !invite && d.updates > 0:
		return ErrBusy
	}
	d.own, d.ownOffer = cancel, invite
	return nil
}

// FinishOwn notes that our refresh is over.
func (d *Dialog) FinishOwn() {
	d.mu.Lock()
	d.own, d.ownOffer = nil, false
	d.mu.Signal()
	d.mu.Unlock()
}

// FallSilent notes that an UPDATE to refresh session got no response anywhere. waited is
// how long it waited at each place.
func (d *Dialog) FallSilent(session sessiontimer.Session, waited time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.silence = silence{session, waited}
}

// TakeSilence returns the time that FallSilent noted, and forgets it; 0 if there was no such
// UPDATE for session.
func (d *Dialog) TakeSilence(session sessiontimer.Session) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.silence
	d.silence = silence{}
	if !s.session.Equal(session) {
		return 0
	}
	return s.waited
}

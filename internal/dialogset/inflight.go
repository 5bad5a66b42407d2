package dialogset

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
)

// ErrBusy says that a request of the application or of the peer comes first.
var ErrBusy = errors.New("dialogset: another request is under way")

// Offer is a request of the application that may carry an offer.
type Offer interface {
	// Branch is that of the application's transaction.
	Branch() string
	// Cancel waits until a CANCEL may be sent and returns the INVITE that it is for.
	Cancel(ctx context.Context) (*sip.Request, error)
}

// inFlight reports whether something of the dialog is under way.
func (d *Dialog) inFlight() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.busy > 0 || len(d.offers) > 0 || d.own != nil || d.updating || d.handing > 0 || d.peerInProgress()
}

// offer finds a request of the application by its branch.
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

// Offering notes a request of the application that may offer, until offered.
func (d *Dialog) Offering(x Offer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offers = append(d.offers, x)
}

func (d *Dialog) Offered(x Offer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offers = slices.DeleteFunc(d.offers, func(o Offer) bool { return o == x })
}

// Begin notes a request of the application. It waits T1 at most for a refresh
// of ours, so that the two cannot overtake each other on the way. Behind one of
// the same method it waits for as long as a transaction lives: a second INVITE or
// UPDATE would be refused (RFC 3261 §14.1, RFC 3311 §5.2).
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

// letOwnEnd waits for a refresh of ours as begin says. It returns with the lock
// held.
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

// Finish notes that the request of begin has its final response, or none.
func (d *Dialog) Finish(method sip.RequestMethod) {
	d.mu.Lock()
	d.busy--
	if method == sip.UPDATE {
		d.updates--
	}
	d.mu.Signal()
	d.mu.Unlock()
}

// BeginOwn notes a refresh of ours, which cancel ends. It waits for requests of
// the application, though not for long; a re-INVITE must not be sent while
// another INVITE is in progress (RFC 3261 §14.1), nor an UPDATE after another
// (RFC 3311 §5.2).
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

func (d *Dialog) FinishOwn() {
	d.mu.Lock()
	d.own, d.ownOffer = nil, false
	d.mu.Signal()
	d.mu.Unlock()
}

// FallSilent notes that nobody has answered the UPDATE, which waited for so long at
// each place.
func (d *Dialog) FallSilent(session sessiontimer.Session, waited time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.silence = silence{session, waited}
}

// TakeSilence is how long an UPDATE has waited that nobody has answered; zero if there
// was none for the session.
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

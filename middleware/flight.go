package middleware

import (
	"context"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// inFlight reports whether something of the dialog is under way.
func (m *member) inFlight() bool {
	m.Lock()
	defer m.Unlock()
	return m.busy > 0 || len(m.offers) > 0 || m.own != nil || m.updating || m.handing > 0 || m.peerInProgress()
}

// offer finds a request of the application by its branch.
func (m *member) offer(branch string) *exchange {
	m.Lock()
	defer m.Unlock()
	for _, x := range m.offers {
		if x.branch == branch {
			return x
		}
	}
	return nil
}

// offering notes a request of the application that may offer, until offered.
func (m *member) offering(x *exchange) {
	m.Lock()
	defer m.Unlock()
	m.offers = append(m.offers, x)
}

func (m *member) offered(x *exchange) {
	m.Lock()
	defer m.Unlock()
	m.offers = slices.DeleteFunc(m.offers, func(o *exchange) bool { return o == x })
}

// begin notes a request of the application. It waits T1 at most for a refresh
// of ours, so that the two cannot overtake each other on the way. Behind one of
// the same method it waits for as long as a transaction lives: a second INVITE or
// UPDATE would be refused (RFC 3261 §14.1, RFC 3311 §5.2).
func (m *member) begin(ctx context.Context, method sip.RequestMethod) {
	m.Lock()
	if m.own != nil {
		m.Unlock()
		m.letOwnEnd(ctx, method)
	}
	m.busy++
	if method == sip.UPDATE {
		m.updates++
	}
	m.Unlock()
}

// letOwnEnd waits for a refresh of ours as begin says. It returns with the lock
// held.
func (m *member) letOwnEnd(ctx context.Context, method sip.RequestMethod) {
	over := func() bool { return m.own == nil }
	short, cancel := context.WithTimeout(ctx, sip.T1)
	defer cancel()
	err := m.await(short, over)
	if err != nil && (method == sip.INVITE && m.ownOffer || method == sip.UPDATE && !m.ownOffer) {
		m.Unlock()
		long, cancel := context.WithTimeout(ctx, 63*sip.T1)
		defer cancel()
		_ = m.await(long, over)
	}
}

// finish notes that the request of begin has its final response, or none.
func (m *member) finish(method sip.RequestMethod) {
	m.Lock()
	m.busy--
	if method == sip.UPDATE {
		m.updates--
	}
	m.signal()
	m.Unlock()
}

// beginOwn notes a refresh of ours, which cancel ends. It waits for requests of
// the application, though not for long; a re-INVITE must not be sent while
// another INVITE is in progress (RFC 3261 §14.1), nor an UPDATE after another
// (RFC 3311 §5.2).
func (m *member) beginOwn(ctx context.Context, cancel context.CancelFunc, invite bool) error {
	free := func() bool { return m.own == nil && m.busy == 0 && !m.peerInProgress() }
	m.Lock()
	if !free() {
		m.Unlock()
		wait, stop := context.WithTimeout(ctx, sip.T2)
		defer stop()
		_ = m.await(wait, free)
	}
	defer m.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case m.own != nil || invite && (len(m.offers) > 0 || m.peerInProgress()) || !invite && m.updates > 0:
		return refresher.ErrBusy
	}
	m.own, m.ownOffer = cancel, invite
	return nil
}

func (m *member) finishOwn() {
	m.Lock()
	m.own, m.ownOffer = nil, false
	m.signal()
	m.Unlock()
}

// fallSilent notes that nobody has answered the UPDATE that was sent at since.
func (m *member) fallSilent(session sessiontimer.Session, since time.Time) {
	m.Lock()
	defer m.Unlock()
	m.silence = silence{session, since}
}

// takeSilence is since when nobody has answered for a session; zero if that is not so.
func (m *member) takeSilence(session sessiontimer.Session) time.Time {
	m.Lock()
	defer m.Unlock()
	s := m.silence
	m.silence = silence{}
	if !s.session.Equal(session) {
		return time.Time{}
	}
	return s.since
}

// peerInProgress: the peer's INVITE is not answered, or its 2xx not acknowledged
// within 64*T1, after which no ACK is to be expected. The lock is held.
func (m *member) peerInProgress() bool {
	return m.peer != nil && (m.peer.answered.IsZero() || time.Since(m.peer.answered) < 64*sip.T1)
}

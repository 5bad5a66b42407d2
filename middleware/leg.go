package middleware

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/refresher"
)

// leg is the process's own state of one side of a call: what is in flight, and
// the numbering of what this side sends. It belongs to the Call-ID and our tag,
// so that it exists before the dialog does and is shared by the dialogs of a
// forked INVITE. What outlives the process is in the store, and a leg that knows
// no more than that is dropped.
type leg struct {
	key    legKey
	policy sessiontimer.Policy
	used   atomic.Int64 // when it was found last, in nanoseconds since legs.start
	over   bool         // of no more use than to transactions; guarded by legs.mu

	mu      sync.Mutex
	changed chan struct{}      // made by who waits, closed by who changes the rest
	contact *sip.ContactHeader // ours in an early dialog

	lastCSeq uint32 // on the wire
	sent     []sentInvite
	sending  bool               // somebody numbers and sends
	busy     int                // requests of the application under way
	updates  int                // UPDATEs among them
	offers   []*exchange        // those among them that may offer
	own      context.CancelFunc // ends the refresh of ours under way
	ownTag   string             // the peer's tag of its dialog
	ownOffer bool               // and that it is a re-INVITE
	silence  silence            // after a refresh of ours that had no answer at all
	peer     *peerInvite        // the peer's INVITE that is not confirmed yet
	updating bool               // the application has an UPDATE to answer
	ringing  bool               // and a first INVITE

	localAcks []uint32 // CSeqs of re-INVITEs answered here, whose ACKs may come again

	requester *requester    // the client that began the call; nil if it is that of the transport
	learned   time.Duration // Min-SE of 422s before there is a dialog
	dialogs   []member
	forks     []fork
}

type legKey struct{ callID, tag string }

// sentInvite remembers the number that an INVITE of the application got on the
// wire, for its ACK and the replays of that.
type sentInvite struct{ app, wire uint32 }

// peerInvite is an INVITE of the peer until its 2xx is acknowledged.
type peerInvite struct {
	cseq     uint32
	local    bool          // answered here: the application never saw it
	answered time.Time     // 2xx sent; zero before
	acked    chan struct{} // closed by the ACK
}

// silence is what an UPDATE of ours that refreshes a session was met with.
type silence struct {
	session sessiontimer.Session
	since   time.Time
}

// keptInvites bounds sentInvite: a replayed ACK may be 32 s late.
const keptInvites = 8

func (l *leg) id(remoteTag string) dialogstore.ID {
	return dialogstore.ID{CallID: l.key.callID, LocalTag: l.key.tag, RemoteTag: remoteTag}
}

// use notes the client that begins the call; nil is that of the transport.
func (l *leg) use(r *requester) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requester = r
}

// reachedAt notes our Contact in an early dialog; nil if we told none.
func (l *leg) reachedAt(contact *sip.ContactHeader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.contact = contact
}

// ring notes the early dialog of an INVITE of the peer.
func (l *leg) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ringing = true
}

// signal wakes who waits for a change. l.mu is held.
func (l *leg) signal() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// await waits until ready, called with l.mu held, returns true. It returns with
// l.mu held, ctx's error if that ended first.
func (l *leg) await(ctx context.Context, ready func() bool) error {
	l.mu.Lock()
	for !ready() {
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			l.mu.Lock()
			return ctx.Err()
		}
		l.mu.Lock()
	}
	return nil
}

// begin notes a request of the application. It waits T1 at most for a refresh
// of ours, so that the two cannot overtake each other on the way. Behind one of
// the same method it waits for as long as a transaction lives: a second INVITE or
// UPDATE would be refused (RFC 3261 §14.1, RFC 3311 §5.2).
func (l *leg) begin(ctx context.Context, method sip.RequestMethod) {
	l.mu.Lock()
	if l.own != nil {
		l.mu.Unlock()
		l.letOwnEnd(ctx, method)
	}
	l.busy++
	if method == sip.UPDATE {
		l.updates++
	}
	l.mu.Unlock()
}

// letOwnEnd waits for a refresh of ours as begin says. It returns with l.mu held.
func (l *leg) letOwnEnd(ctx context.Context, method sip.RequestMethod) {
	over := func() bool { return l.own == nil }
	short, cancel := context.WithTimeout(ctx, sip.T1)
	defer cancel()
	err := l.await(short, over)
	if err != nil && (method == sip.INVITE && l.ownOffer || method == sip.UPDATE && !l.ownOffer) {
		l.mu.Unlock()
		long, cancel := context.WithTimeout(ctx, 63*sip.T1)
		defer cancel()
		_ = l.await(long, over)
	}
}

// finish notes that the request of begin has its final response, or none.
func (l *leg) finish(method sip.RequestMethod) {
	l.mu.Lock()
	l.busy--
	if method == sip.UPDATE {
		l.updates--
	}
	l.signal()
	l.mu.Unlock()
}

// beginOwn notes a refresh of ours, which cancel ends. It waits for requests of
// the application, though not for long; a re-INVITE must not be sent while
// another INVITE is in progress (RFC 3261 §14.1), nor an UPDATE after another
// (RFC 3311 §5.2).
func (l *leg) beginOwn(ctx context.Context, cancel context.CancelFunc, remoteTag string, invite bool) error {
	free := func() bool { return l.own == nil && l.busy == 0 && !l.peerInProgress() }
	l.mu.Lock()
	if !free() {
		l.mu.Unlock()
		wait, stop := context.WithTimeout(ctx, sip.T2)
		defer stop()
		_ = l.await(wait, free)
	}
	defer l.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case l.own != nil || invite && (len(l.offers) > 0 || l.peerInProgress()) || !invite && l.updates > 0:
		return refresher.ErrBusy
	}
	l.own, l.ownTag, l.ownOffer = cancel, remoteTag, invite
	return nil
}

func (l *leg) finishOwn() {
	l.mu.Lock()
	l.own, l.ownTag, l.ownOffer = nil, "", false
	l.signal()
	l.mu.Unlock()
}

// fallSilent notes that nobody has answered the UPDATE that was sent at since.
func (l *leg) fallSilent(session sessiontimer.Session, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silence = silence{session, since}
}

// takeSilence is since when nobody has answered for a session; zero if that is not so.
func (l *leg) takeSilence(session sessiontimer.Session) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.silence
	l.silence = silence{}
	if !s.session.Equal(session) {
		return time.Time{}
	}
	return s.since
}

// peerInProgress: the peer's INVITE is not answered, or its 2xx not acknowledged
// within 64*T1, after which no ACK is to be expected. l.mu is held.
func (l *leg) peerInProgress() bool {
	return l.peer != nil && (l.peer.answered.IsZero() || time.Since(l.peer.answered) < 64*sip.T1)
}

// inTurn runs send while nobody else of this leg numbers and sends, so that
// numbers leave in order. No lock is held meanwhile.
func (l *leg) inTurn(ctx context.Context, send func() error) error {
	err := l.await(ctx, func() bool { return !l.sending })
	if err == nil {
		l.sending = true
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		l.mu.Lock()
		l.sending = false
		l.signal()
		l.mu.Unlock()
	}()
	return send()
}

// number gives a request its CSeq on the wire: the application's own, unless
// requests of ours have used that up.
func (l *leg) number(app uint32, invite bool) uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastCSeq = max(app, l.lastCSeq+1)
	if invite {
		l.sent = slices.DeleteFunc(l.sent, func(s sentInvite) bool { return s.app == app })
		if len(l.sent) == keptInvites {
			l.sent = slices.Delete(l.sent, 0, 1)
		}
		l.sent = append(l.sent, sentInvite{app, l.lastCSeq})
	}
	return l.lastCSeq
}

// last is the number used last: early requests have some before the dialog is.
func (l *leg) last() uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lastCSeq
}

// wireCSeq is what the INVITE that the application numbered app has on the wire.
// Where it sent a PRACK, UPDATE or INFO since, sipgo numbers the ACK as that; it
// is for the INVITE before all the same.
func (l *leg) wireCSeq(app uint32) uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	wire := app
	for _, s := range l.sent {
		if s.app <= app {
			wire = s.wire
		}
	}
	return wire
}

// idle tells that resume would make the same leg of what is in the store: one
// dialog, which is where and with whom it was, and nothing under way.
func (l *leg) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	renumbered := slices.ContainsFunc(l.sent, func(s sentInvite) bool { return s.app != s.wire })
	underWay := l.busy > 0 || len(l.offers) > 0 || l.own != nil || l.sending || l.updating || l.peerInProgress()
	return len(l.dialogs) == 1 && !l.dialogs[0].ended && l.dialogs[0].target == nil &&
		len(l.forks) == 0 && l.requester == nil && !renumbered && !underWay
}

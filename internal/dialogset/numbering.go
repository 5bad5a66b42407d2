package dialogset

import (
	"context"
	"slices"

	"github.com/sipgo-contrib/sessiontimer/internal/monitor"
)

// Numbering assigns the CSeq numbers of our requests within a dialog (RFC 3261 §12.2.1.1).
// The store has the last one too, for the process that continues the call after this one. It
// may lag behind while a request is in flight, so this process relies on Numbering.
type Numbering struct {
	mu      monitor.Monitor
	last    uint32       // the last CSeq on the wire
	sent    []sentInvite // shared with other dialogs of the same INVITE, so elements must not change
	sending bool         // InTurn is running
}

// sentInvite has the CSeq that the application gave an INVITE, and the one on the wire. They
// are needed for its ACK and the retransmissions of that.
type sentInvite struct{ app, wire uint32 }

// keptInvites is how many INVITEs are remembered. An ACK may be retransmitted for 32 s.
const keptInvites = 8

// InTurn runs send, one at a time within the dialog, so that requests leave in the order of
// their CSeq. It waits for its turn until ctx ends. No lock is held while send runs.
func (n *Numbering) InTurn(ctx context.Context, send func() error) error {
	err := n.mu.Await(ctx, func() bool { return !n.sending })
	if err == nil {
		n.sending = true
	}
	n.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		n.mu.Lock()
		n.sending = false
		n.mu.Signal()
		n.mu.Unlock()
	}()
	return send()
}

// RFC 3261 §8.1.1.5: a CSeq is less than 2^31.
const maxCSeq = 1<<31 - 1

// followed is the largest CSeq, of the application or the peer, that our numbers continue
// from. The numbers above it are reserved for the rest of the call: enough for a request each
// second for half a year.
const followed = maxCSeq - 1<<24

// NextCSeq returns the CSeq after last. The highest is repeated: a peer refuses only lower
// ones (RFC 3261 §12.2.2), and otherwise we could not even send a BYE.
func NextCSeq(last uint32) uint32 { return min(last, maxCSeq-1) + 1 }

// startAfter returns the number after which our CSeq starts in a dialog that the peer's
// INVITE made: the CSeq of that INVITE, since sipgo's dialogs continue from it, or 0 if it
// is too high.
func startAfter(peer uint32) uint32 {
	if peer > followed {
		return 0
	}
	return peer
}

// Number returns the CSeq on the wire for a request: app, the application's, or the next one
// if app was used by a request of the timers, or is too high.
func (n *Numbering) Number(app uint32, invite bool) uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := NextCSeq(n.last)
	if next < app && app <= followed {
		next = app
	}
	n.last = next
	if invite {
		if again := func(s sentInvite) bool { return s.app == app }; slices.ContainsFunc(n.sent, again) {
			n.sent = slices.DeleteFunc(slices.Clone(n.sent), again)
		}
		if len(n.sent) == keptInvites {
			n.sent = n.sent[1:]
		}
		n.sent = append(n.sent, sentInvite{app, n.last})
	}
	return n.last
}

// GoOnAfter continues the numbers after last.
func (n *Numbering) GoOnAfter(last uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = max(n.last, min(last, maxCSeq))
}

// LastCSeq returns the last CSeq that was used. A new dialog has one, too: requests may have
// been sent while it was early.
func (n *Numbering) LastCSeq() uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last
}

// WireCSeq returns the CSeq on the wire of the INVITE to which the application gave app. If
// the application has sent a PRACK, UPDATE or INFO since, sipgo gives the ACK the number of
// that, so the latest INVITE up to app counts.
func (n *Numbering) WireCSeq(app uint32) uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	wire := app
	for _, s := range n.sent {
		if s.app <= app {
			wire = s.wire
		}
	}
	return wire
}

// plain reports whether n has no state but the last CSeq, which is in the store too.
func (n *Numbering) plain() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.sending && !slices.ContainsFunc(n.sent, func(s sentInvite) bool { return s.app != s.wire })
}

// follow makes n continue from another dialog of the same INVITE.
func (n *Numbering) follow(other *Numbering) {
	other.mu.Lock()
	defer other.mu.Unlock()
	n.last, n.sent = other.last, slices.Clip(other.sent)
}

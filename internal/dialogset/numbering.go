package dialogset

import (
	"context"
	"slices"

	"github.com/sipgo-contrib/sessiontimer/internal/monitor"
)

// Numbering counts what we send within a dialog (RFC 3261 §12.2.1.1).
type Numbering struct {
	mu      monitor.Monitor
	last    uint32       // on the wire
	sent    []sentInvite // shared with the dialogs of the same INVITE, so what is in it stays
	sending bool         // somebody numbers and sends
}

// sentInvite remembers the number that an INVITE of the application got on the
// wire, for its ACK and the replays of that.
type sentInvite struct{ app, wire uint32 }

// keptInvites bounds sentInvite: a replayed ACK may be 32 s late.
const keptInvites = 8

// InTurn runs send while nobody else numbers and sends within the dialog, so that
// numbers leave in order. No lock is held meanwhile.
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

// RFC 3261 §8.1.1.5: a number is less than 2^31.
const maxCSeq = 1<<31 - 1

// followed is the largest number that ours go on from. What is above is left for what
// follows: enough for one request a second for half a year.
const followed = maxCSeq - 1<<24

// NextCSeq is the number after last. At the end it stays: a peer refuses lower ones
// only (RFC 3261 §12.2.2), and nothing at all would be sent otherwise, not even a BYE.
func NextCSeq(last uint32) uint32 { return min(last, maxCSeq-1) + 1 }

// startAfter is what the numbers of a dialog begin after that an INVITE of the peer made:
// that INVITE's, since the dialogs of sipgo go on from there, but for one that leaves
// too few.
func startAfter(peer uint32) uint32 {
	if peer > followed {
		return 0
	}
	return peer
}

// Number gives a request its CSeq on the wire: the application's own, unless
// requests of ours have used that up or it leaves too few.
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

// GoOnAfter numbers further requests from after last, unless they are beyond that.
func (n *Numbering) GoOnAfter(last uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = max(n.last, min(last, maxCSeq))
}

// LastCSeq is the number used last: early requests have some before the dialog is.
func (n *Numbering) LastCSeq() uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last
}

// WireCSeq is what the INVITE that the application numbered app has on the wire.
// Where it sent a PRACK, UPDATE or INFO since, sipgo numbers the ACK as that; it
// is for the INVITE before all the same.
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

// plain reports whether what the store knows is enough to go on.
func (n *Numbering) plain() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.sending && !slices.ContainsFunc(n.sent, func(s sentInvite) bool { return s.app != s.wire })
}

// follow counts on from another dialog of the same INVITE.
func (n *Numbering) follow(other *Numbering) {
	other.mu.Lock()
	defer other.mu.Unlock()
	n.last, n.sent = other.last, slices.Clip(other.sent)
}

package dialogset

import (
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"
)

// PeerInvite is an INVITE of the peer until its 2xx is acknowledged.
type PeerInvite struct {
	cseq     uint32
	local    bool          // answered here: the application never saw it
	answered time.Time     // 2xx sent; zero before
	refused  bool          // or another final response, or it is being sent
	acked    chan struct{} // closed by the ACK; nil for a first INVITE, for which nobody waits
	had      chan struct{} // closed when the application has had that; nil if nobody waits for it
}

// Acked is closed when the peer has the 2xx.
func (p *PeerInvite) Acked() <-chan struct{} { return p.acked }

// open reports whether the INVITE has no final response. Whoever has got that may
// send another request at once.
func (p *PeerInvite) open() bool { return p != nil && p.answered.IsZero() && !p.refused }

// Clash says which other request a request of the peer may not overlap.
type Clash uint8

// The clashes.
const (
	NoClash    Clash = iota
	WithOurs         // glare: 491 (RFC 3261 §14.2, RFC 3311 §5.2)
	WithTheirs       // one at a time: 500
)

func clash(ours, theirs bool) Clash {
	switch {
	case ours:
		return WithOurs
	case theirs:
		return WithTheirs
	}
	return NoClash
}

// OpenUpdate guards what RFC 3311 §5.2 allows at a time: one UPDATE of the peer, and
// no offer of it while another offer is open. Where nothing clashes CloseUpdate must
// follow.
func (d *Dialog) OpenUpdate(offer bool) Clash {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := clash(offer && (d.ownOffer || len(d.offers) > 0), d.updating || offer && d.peer.open())
	if c == NoClash {
		d.updating = true
	}
	return c
}

// CloseUpdate lets the peer send the next UPDATE.
func (d *Dialog) CloseUpdate() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.updating = false
}

// OpenInvite guards what RFC 3261 §14.2 allows at a time: no re-INVITE against one of
// ours, and one of the peer's.
func (d *Dialog) OpenInvite(cseq uint32) (*PeerInvite, Clash) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := clash(d.ownOffer || len(d.offers) > 0, d.peer.open()); c != NoClash {
		return nil, c
	}
	d.confirm() // whoever sends another INVITE has got our 2xx
	d.peer = &PeerInvite{cseq: cseq, acked: make(chan struct{})}
	return d.peer, NoClash
}

// Refusing notes that an INVITE is about to be refused: the next request of the peer
// may follow at once. A re-INVITE of ours waits for CloseInvite.
func (d *Dialog) Refusing(p *PeerInvite) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.refused = p.refused || p.answered.IsZero()
}

// CloseInvite notes that an INVITE was not answered with a 2xx.
func (d *Dialog) CloseInvite(p *PeerInvite) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.peer == p && p.answered.IsZero() {
		d.peer = nil
		d.mu.Signal()
	}
}

// AnswerHere notes that the application does not see an INVITE, nor its ACK.
func (d *Dialog) AnswerHere(p *PeerInvite) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.local = true
}

// ExpectAck notes an INVITE of the peer that is answered with a 2xx, and the timer
// that forgets its dialog.
func (d *Dialog) ExpectAck(cseq uint32, now time.Time, forget *time.Timer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget, d.due = forget, now.Add(64*sip.T1)
	d.peer = &PeerInvite{cseq: cseq, answered: now}
	d.unacked = d.peer
}

// Answered notes when the 2xx to a later INVITE was sent.
func (d *Dialog) Answered(p *PeerInvite, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.answered = now
	if !p.local {
		d.unacked = p
	}
	d.mu.Signal()
}

// Acked notes an ACK: answered is when the 2xx was sent that waited for it, zero if
// none did. local says that the application has nothing to see of it, now or when it
// comes again.
func (d *Dialog) Acked(cseq uint32) (answered time.Time, local bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.peer != nil && d.peer.cseq == cseq && !d.peer.answered.IsZero() {
		answered = d.peer.answered
		d.confirm()
	}
	return answered, slices.Contains(d.localAcks, cseq)
}

// confirm notes that the peer has the 2xx to its INVITE. The lock is held.
func (d *Dialog) confirm() {
	p := d.peer
	if p == nil {
		return
	}
	if p.acked != nil {
		close(p.acked)
	}
	d.peer = nil
	if p.local && !slices.Contains(d.localAcks, p.cseq) {
		d.localAcks = append(d.localAcks[max(0, len(d.localAcks)+1-keptInvites):], p.cseq)
	}
	d.mu.Signal()
}

// peerInProgress: the peer's INVITE is not answered, or its 2xx not acknowledged
// within 64*T1, after which no ACK is to be expected. The lock is held.
func (d *Dialog) peerInProgress() bool {
	return d.peer != nil && (d.peer.answered.IsZero() || time.Since(d.peer.answered) < 64*sip.T1)
}

// Busy reports whether something is being answered, by us or by the peer, that may
// renew the session, and whether a 2xx of ours is not acknowledged yet.
func (d *Dialog) Busy() (busy, unconfirmed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	in := d.peerInProgress()
	return in || d.updating || len(d.offers) > 0, in && !d.peer.answered.IsZero()
}

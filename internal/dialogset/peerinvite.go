package dialogset

import (
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"
)

// PeerInvite is an INVITE of the peer until its 2xx is acknowledged.
type PeerInvite struct {
	cseq     uint32
	local    bool          // answered by the timers: the application has not seen it
	answered time.Time     // when the 2xx was sent; zero before
	refused  bool          // a refusal was sent, or is about to be
	acked    chan struct{} // closed by the ACK; nil for a first INVITE, for which nobody waits
	had      chan struct{} // closed when the application has handled the ACK; nil if nobody waits for that
}

// Acked returns a channel that is closed when the peer has acknowledged the 2xx.
func (p *PeerInvite) Acked() <-chan struct{} { return p.acked }

// open reports whether there is an INVITE without a final response. After that, the peer may
// send another request at once.
func (p *PeerInvite) open() bool { return p != nil && p.answered.IsZero() && !p.refused }

// Clash is the kind of request with which a request of the peer clashes.
type Clash uint8

// The clashes.
const (
	NoClash    Clash = iota
	WithOurs         // with ours: glare, 491 (RFC 3261 §14.2, RFC 3311 §5.2)
	WithTheirs       // with another one of the peer: 500
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

// OpenUpdate begins an UPDATE of the peer, unless it clashes with another request. RFC 3311
// §5.2 allows one UPDATE at a time, and no offer while another one is open. After NoClash,
// CloseUpdate must follow.
func (d *Dialog) OpenUpdate(offer bool) Clash {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := clash(offer && (d.ownOffer || len(d.offers) > 0), d.updating || offer && d.peer.open())
	if c == NoClash {
		d.updating = true
	}
	return c
}

// CloseUpdate notes that the UPDATE is over.
func (d *Dialog) CloseUpdate() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.updating = false
}

// OpenInvite begins a re-INVITE of the peer, unless it clashes with our own or with an
// earlier one of the peer (RFC 3261 §14.2).
func (d *Dialog) OpenInvite(cseq uint32) (*PeerInvite, Clash) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := clash(d.ownOffer || len(d.offers) > 0, d.peer.open()); c != NoClash {
		return nil, c
	}
	d.confirm() // a peer that sends another INVITE has received our 2xx
	d.peer = &PeerInvite{cseq: cseq, acked: make(chan struct{})}
	return d.peer, NoClash
}

// Refusing notes that an INVITE is about to be refused. From now on the peer may send its
// next request. Our own re-INVITE waits for CloseInvite.
func (d *Dialog) Refusing(p *PeerInvite) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.refused = p.refused || p.answered.IsZero()
}

// CloseInvite notes that an INVITE is over without a 2xx. After a 2xx it does nothing.
func (d *Dialog) CloseInvite(p *PeerInvite) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.peer == p && p.answered.IsZero() {
		d.peer = nil
		d.mu.Signal()
	}
}

// AnswerHere notes that the application sees neither the INVITE nor its ACK.
func (d *Dialog) AnswerHere(p *PeerInvite) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.local = true
}

// ExpectAck notes the 2xx to the first INVITE of the peer, and the timer that forgets its
// dialog after 64*T1.
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
}

// Acked notes an ACK. answered is when its 2xx was sent; zero if the 2xx was acknowledged
// before. local is true if the application must not see the ACK, nor its retransmissions.
func (d *Dialog) Acked(cseq uint32) (answered time.Time, local bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.peer != nil && d.peer.cseq == cseq && !d.peer.answered.IsZero() {
		answered = d.peer.answered
		d.confirm()
	}
	return answered, slices.Contains(d.localAcks, cseq)
}

// confirm notes that the peer has received the 2xx to its INVITE. The lock is held.
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

// peerInProgress reports whether the peer's INVITE is not answered, or its 2xx not
// acknowledged. After 64*T1 an ACK is no longer expected. The lock is held.
func (d *Dialog) peerInProgress() bool {
	return d.peer != nil && (d.peer.answered.IsZero() || time.Since(d.peer.answered) < 64*sip.T1)
}

// Busy reports whether a request in progress, of either side, may refresh the session, and
// whether our 2xx is not acknowledged yet.
func (d *Dialog) Busy() (busy, unconfirmed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	in := d.peerInProgress()
	return in || d.updating || len(d.offers) > 0, in && !d.peer.answered.IsZero()
}

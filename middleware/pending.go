package middleware

import (
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"
)

// openUpdate guards what RFC 3311 §5.2 allows at a time: one UPDATE of the peer,
// and no offer of it while another offer is open.
func (in *incoming) openUpdate() bool {
	l, offer := in.leg, len(in.req.Body()) > 0
	l.mu.Lock()
	ours := offer && (l.ownOffer || len(l.offers) > 0)
	theirs := l.updating || offer && l.peer != nil && l.peer.answered.IsZero()
	if !ours && !theirs {
		l.updating = true
	}
	l.mu.Unlock()
	return in.alone(ours, theirs)
}

func (in *incoming) closeUpdate() {
	in.leg.mu.Lock()
	in.leg.updating = false
	in.leg.mu.Unlock()
}

// openInvite guards what RFC 3261 §14.2 allows at a time: no re-INVITE against
// one of ours, and one of the peer's.
func (in *incoming) openInvite() bool {
	l := in.leg
	l.mu.Lock()
	ours := l.ownOffer || len(l.offers) > 0
	theirs := l.peer != nil && l.peer.answered.IsZero()
	if !ours && !theirs {
		l.confirm() // whoever sends another INVITE has got our 2xx
		in.invite = &peerInvite{cseq: in.req.CSeq().SeqNo, acked: make(chan struct{})}
		l.peer = in.invite
	}
	l.mu.Unlock()
	return in.alone(ours, theirs)
}

// alone refuses a request that may not overlap another one of ours, or of the
// peer's.
func (in *incoming) alone(ours, theirs bool) bool {
	switch {
	case ours:
		in.reject(sip.StatusRequestPending, "Request Pending")
	case theirs:
		in.reject(sip.StatusInternalServerError, "Server Internal Error", retryAfter())
	}
	return !ours && !theirs
}

// closeInvite notes that a re-INVITE was not answered with a 2xx.
func (in *incoming) closeInvite() {
	if in.invite == nil || in.leg == nil {
		return
	}
	l := in.leg
	l.mu.Lock()
	if l.peer == in.invite && l.peer.answered.IsZero() {
		l.peer = nil
		l.signal()
	}
	l.mu.Unlock()
}

// expectAck notes an INVITE of the peer that is answered with a 2xx.
func (l *leg) expectAck(cseq uint32, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.peer = &peerInvite{cseq: cseq, answered: now, acked: make(chan struct{})}
}

func (l *leg) answered(p *peerInvite, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.answered = now
	l.signal()
}

// acked notes an ACK: first if it is the one that was waited for, local if the
// application has nothing to see of it, now or when it comes again.
func (l *leg) acked(cseq uint32) (first, local bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first = l.peer != nil && l.peer.cseq == cseq; first {
		l.confirm()
	}
	return first, slices.Contains(l.localAcks, cseq)
}

// confirm notes that the peer has the 2xx to its INVITE. l.mu is held.
func (l *leg) confirm() {
	p := l.peer
	if p == nil {
		return
	}
	close(p.acked)
	l.peer = nil
	if p.local && !slices.Contains(l.localAcks, p.cseq) {
		l.localAcks = append(l.localAcks[max(0, len(l.localAcks)+1-keptInvites):], p.cseq)
	}
	l.signal()
}

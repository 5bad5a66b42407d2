package middleware

import (
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"
)

// openUpdate guards what RFC 3311 §5.2 allows at a time: one UPDATE of the peer,
// and no offer of it while another offer is open.
func (in *incoming) openUpdate() bool {
	m, offer := in.member, len(in.req.Body()) > 0
	m.Lock()
	ours := offer && (m.ownOffer || len(m.offers) > 0)
	theirs := m.updating || offer && m.peer.open()
	if !ours && !theirs {
		m.updating, in.updating = true, true
	}
	m.Unlock()
	return in.alone(ours, theirs)
}

// refusing lets the peer send the next request, which may follow on a refusal at
// once. A re-INVITE of ours waits until that is sent: see closeInvite.
func (in *incoming) refusing() {
	if in.member == nil {
		return
	}
	in.closeUpdate()
	in.member.Lock()
	defer in.member.Unlock()
	if in.invite != nil && in.invite.answered.IsZero() {
		in.invite.refused = true
	}
}

// closeUpdate lets the peer send the next UPDATE. It may be called again.
func (in *incoming) closeUpdate() {
	m := in.member
	m.Lock()
	defer m.Unlock()
	if in.updating {
		m.updating, in.updating = false, false
	}
}

// openInvite guards what RFC 3261 §14.2 allows at a time: no re-INVITE against
// one of ours, and one of the peer's.
func (in *incoming) openInvite() bool {
	m := in.member
	m.Lock()
	ours := m.ownOffer || len(m.offers) > 0
	theirs := m.peer.open()
	if !ours && !theirs {
		m.confirm() // whoever sends another INVITE has got our 2xx
		in.invite = &peerInvite{cseq: in.req.CSeq().SeqNo, acked: make(chan struct{})}
		m.peer = in.invite
	}
	m.Unlock()
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
	if in.invite == nil {
		return
	}
	m := in.member
	m.Lock()
	if m.peer == in.invite && m.peer.answered.IsZero() {
		m.peer = nil
		m.signal()
	}
	m.Unlock()
}

// expectAck notes an INVITE of the peer that is answered with a 2xx, and the timer
// that forgets its dialog.
func (m *member) expectAck(cseq uint32, now time.Time, forget *time.Timer) {
	m.Lock()
	defer m.Unlock()
	m.forget, m.due = forget, now.Add(64*sip.T1)
	m.peer = &peerInvite{cseq: cseq, answered: now, acked: make(chan struct{})}
}

func (m *member) answered(p *peerInvite, now time.Time) {
	m.Lock()
	defer m.Unlock()
	p.answered = now
	m.signal()
}

// acked notes an ACK: answered is when the 2xx was sent that waited for it, zero if
// none did. local says that the application has nothing to see of it, now or when it
// comes again.
func (m *member) acked(cseq uint32) (answered time.Time, local bool) {
	m.Lock()
	defer m.Unlock()
	if m.peer != nil && m.peer.cseq == cseq && !m.peer.answered.IsZero() {
		answered = m.peer.answered
		m.confirm()
	}
	return answered, slices.Contains(m.localAcks, cseq)
}

// confirm notes that the peer has the 2xx to its INVITE. The lock is held.
func (m *member) confirm() {
	p := m.peer
	if p == nil {
		return
	}
	close(p.acked)
	m.peer = nil
	if p.local && !slices.Contains(m.localAcks, p.cseq) {
		m.localAcks = append(m.localAcks[max(0, len(m.localAcks)+1-keptInvites):], p.cseq)
	}
	m.signal()
}

package middleware

import (
	"context"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// member is a dialog of a leg: how far it is, and what is in flight in it.
type member struct {
	remoteTag string // guarded by leg.mu
	count     numbering

	monitor
	state     state
	byUs      bool                // we ended it
	why       sessiontimer.Reason // it ended
	told      told                // to the peer in an early dialog
	requester *requester          // the client that began the call; nil if it is that of the transport
	heard     uint32              // last CSeq of the peer's INVITEs and UPDATEs
	target    *sip.Uri            // where the peer has moved to; nil if it has not
	from      string              // and the address of our socket
	former    string              // where requests went before, if not by its Contact
	busy      int                 // requests of the application under way
	updates   int                 // UPDATEs among them
	offers    []*exchange         // those among them that may offer
	own       context.CancelFunc  // ends the refresh of ours under way
	ownOffer  bool                // it is a re-INVITE
	silence   silence             // after a refresh of ours that had no answer at all
	peer      *peerInvite         // the peer's INVITE that is not confirmed yet
	updating  bool                // the application has an UPDATE to answer
	forget    *time.Timer         // of a dialog whose peer has not proved to be there
	due       time.Time           // when it goes off
	handing   int                 // messages of ours that go out, and what they settle is not committed yet
	localAcks []uint32            // CSeqs of re-INVITEs answered here, whose ACKs may come again
}

// state is how far a dialog is.
type state uint8

const (
	trying    state = iota // our INVITE has no 2xx
	early                  // the peer's INVITE has no 2xx
	confirmed              // there is a 2xx
	terminated
)

// peerInvite is an INVITE of the peer until its 2xx is acknowledged.
type peerInvite struct {
	cseq     uint32
	local    bool          // answered here: the application never saw it
	answered time.Time     // 2xx sent; zero before
	refused  bool          // or another final response, or it is being sent
	acked    chan struct{} // closed by the ACK
}

// silence is what an UPDATE of ours that refreshes a session was met with.
type silence struct {
	session sessiontimer.Session
	since   time.Time
}

// open reports whether the INVITE has no final response. Whoever has got that may
// send another request at once.
func (p *peerInvite) open() bool { return p != nil && p.answered.IsZero() && !p.refused }

// sendBy notes the client that sends our own requests, if that of the transport
// is another one.
func (m *member) sendBy(r *requester) {
	m.Lock()
	defer m.Unlock()
	m.requester = r
}

func (m *member) sentBy() *requester {
	m.Lock()
	defer m.Unlock()
	return m.requester
}

func (m *member) is(s state) bool {
	m.Lock()
	defer m.Unlock()
	return m.state == s
}

// accepted notes the 2xx that makes the dialog.
func (m *member) accepted() {
	m.Lock()
	defer m.Unlock()
	m.state, m.told = max(m.state, confirmed), told{}
}

// end reports whether the dialog ends with this call, and gives up a refresh of ours.
func (m *member) end(byUs bool, why sessiontimer.Reason) bool {
	m.Lock()
	defer m.Unlock()
	if m.state == terminated {
		return false
	}
	m.state, m.byUs, m.why = terminated, byUs, why
	if m.own != nil {
		m.own()
	}
	if m.forget != nil {
		m.forget.Stop()
		m.forget = nil
	}
	return true
}

// endedByUs reports whether we ended the dialog; its peer may not know yet.
func (m *member) endedByUs() bool {
	m.Lock()
	defer m.Unlock()
	return m.byUs
}

// endedFor is the reason for which the dialog ended.
func (m *member) endedFor() sessiontimer.Reason {
	m.Lock()
	defer m.Unlock()
	return m.why
}

// told is what our INVITE, or a provisional response of ours, says of us.
type told struct {
	contact    *sip.ContactHeader // nil if there is none
	extensions string             // that are supported or required
}

func toldBy(msg interface {
	sipmsg.Message
	Contact() *sip.ContactHeader
}) told {
	return told{msg.Contact(), sipmsg.OptionTags(msg, "Supported", "k") + "," + sipmsg.OptionTags(msg, "Require", "")}
}

// tell notes what we tell of us in an early dialog.
func (m *member) tell(what told) {
	m.Lock()
	defer m.Unlock()
	m.told = what
}

func (m *member) lastTold() told {
	m.Lock()
	defer m.Unlock()
	return m.told
}

// older notes the CSeq of a request and reports whether a later one was seen before;
// stored is what a process before this one saw.
func (m *member) older(cseq, stored uint32) bool {
	m.Lock()
	defer m.Unlock()
	m.heard = max(m.heard, cseq, stored)
	return cseq < m.heard
}

// last is the highest CSeq of the peer; stored is what a process before this one saw.
func (m *member) last(stored uint32) uint32 {
	m.Lock()
	defer m.Unlock()
	return max(m.heard, stored)
}

// needed reports whether the dialog lives, or one may come of what is in flight.
func (m *member) needed() bool {
	m.Lock()
	defer m.Unlock()
	return m.state == early || m.state == confirmed || len(m.offers) > 0
}

// idle reports whether resume would make the same of what is in the store: the
// dialog is where and with whom it was, and nothing is under way.
func (m *member) idle() bool {
	if m.inFlight() || !m.count.plain() {
		return false
	}
	m.Lock()
	defer m.Unlock()
	return m.state == terminated || m.state == confirmed && m.forget == nil && m.target == nil && m.requester == nil
}

package calls

import (
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer"
	"github.com/sipgo-contrib/sessiontimer/dialogstore"
	"github.com/sipgo-contrib/sessiontimer/internal/indialog"
	"github.com/sipgo-contrib/sessiontimer/internal/offeranswer"
	"github.com/sipgo-contrib/sessiontimer/internal/sipmsg"
)

// Renewal is a later INVITE or UPDATE and its 2xx. They restart the session (RFC 4028 §7.2,
// §9), and may change the addresses of both sides and the agreed session descriptions.
type Renewal struct {
	Request *sip.Request
	At      time.Time           // of the 2xx
	Fields  sessiontimer.Fields // of the peer's message
	Seen    indialog.Sighting   // of the peer's message
	Contact *sip.ContactHeader  // of the application's message; nil if the timers made it
	Agreed  offeranswer.Agreed
	News    bool // Agreed has changed
	Renewed bool // the session has changed; set by Answered and Accepted
}

// Answered returns the state of d after a request of the peer that we accepted. The 2xx
// starts session, unless a 2xx of the peer arrived while ours was being sent: see crossed.
func (r *Renewal) Answered(d dialogstore.Dialog, session sessiontimer.Session) dialogstore.State {
	before := d.Session
	if d.Session.Since.After(r.At) {
		d.Session = crossed(d.Session, session)
	} else {
		d.Session, d.LastMethod = session, string(r.Request.Method)
	}
	r.Renewed = !d.Session.Equal(before)
	d.RemoteCSeq = max(d.RemoteCSeq, r.Request.CSeq().SeqNo)
	d.MinSE = max(d.MinSE, r.Fields.MinSE)
	r.common(&d)
	relocate(&d.State, r.Contact)
	d.Accepted = accepted(&d, r.Request)
	return d.State
}

// Sent is what Accepted needs to know about our request.
type Sent struct {
	At        time.Time
	CSeq      uint32 // on the wire
	Refresh   bool   // made by the timers: the peer answers it at once, without asking its user
	Policy    sessiontimer.Policy
	Proposal  sessiontimer.Proposal
	LocalAddr func() string // of our socket; empty if unknown
	NoUpdate  bool          // the peer refused an UPDATE before this request
	Remember  *string       // the new Dialog.Answered; nil to leave it as it is
}

// Accepted returns the state of d after our request that the peer accepted.
func (r *Renewal) Accepted(d dialogstore.Dialog, sent Sent) dialogstore.State {
	before := d.Session
	d.Session = r.settle(before, &sent)
	if before.Since.After(sent.At) { // our own 2xx crossed this one
		d.Session = crossed(d.Session, before)
	}
	r.Renewed = !d.Session.Equal(before)
	d.LastMethod = string(r.Request.Method)
	d.LocalCSeq = max(d.LocalCSeq, sent.CSeq)
	if r.Request.Method == sip.UPDATE {
		d.NoUpdate = false // the peer accepts UPDATE after all
	}
	d.NoUpdate = d.NoUpdate || sent.NoUpdate
	if moved := r.common(&d); !moved && sent.Remember != nil {
		d.Answered = *sent.Remember
	}
	if relocate(&d.State, r.Contact) {
		if addr := sent.LocalAddr(); addr != "" {
			d.LocalAddr = addr
		}
	}
	return d.State
}

// settle returns the session that a 2xx of the peer starts. The peer counts from when it
// sent the 2xx, which may have been long ago if the 2xx was lost at first: so the delay is
// subtracted from the time to the next refresh. That does not apply to an INVITE of the
// application, where the delay may be a user's. If the 2xx has no Session-Expires,
// RefreshAfter stays as it was; a delay subtracted earlier is added back first, so that it
// does not count twice.
func (r *Renewal) settle(before sessiontimer.Session, sent *Sent) sessiontimer.Session {
	if r.Request.Method != sip.UPDATE && !sent.Refresh {
		return sent.Policy.Settle(sent.Proposal, r.Fields, before, r.At)
	}
	delay := r.At.Sub(sent.At)
	if before.RefreshAfter > 0 {
		before.RefreshAfter += delay
	}
	return sent.Policy.Settle(sent.Proposal, r.Fields, before, r.At).Delayed(delay)
}

// common makes the changes of both directions. It reports whether the peer has moved.
func (r *Renewal) common(d *dialogstore.Dialog) (moved bool) {
	learnPeer(&d.State, r.Fields)
	moved = indialog.Locate(d, r.Seen)
	if r.News {
		AgreeOn(&d.State, r.Agreed)
	}
	return moved
}

// crossed handles two 2xx that crossed on the wire. s is the session of the one that is later
// for us; for the peer the other may be. It returns s with a refresh early enough for both.
func crossed(s, other sessiontimer.Session) sessiontimer.Session {
	if s.Refresher == sessiontimer.Local && other.Active() {
		s.RefreshAfter = min(s.RefreshAt().Sub(s.Since), other.Interval/2)
	}
	return s
}

// relocate stores our new Contact, which the application sent in an INVITE, an UPDATE or a
// 2xx to one. From then on the peer sends there, and a refresh with the old Contact would
// undo it (RFC 6141 §4.4). It returns false if the Contact is the same, or differs only by
// parts that sipgo fills in.
func relocate(d *dialogstore.State, contact *sip.ContactHeader) bool {
	if contact == nil || contact.Address.Host == "" || contact.Value() == d.Contact {
		return false
	}
	var known sip.Uri
	if err := sip.ParseUri(sipmsg.AddrSpec(d.Contact), &known); err == nil && contact.Address.Port == 0 && contact.Address.Host == known.Host {
		return false
	}
	d.Contact = contact.Value()
	return true
}
